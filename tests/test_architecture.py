"""The house of docs/architecture.md, held: imports point down, torch stays in its rooms, importing does nothing."""

import ast
import importlib
import json
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import asr

PACKAGE = Path(asr.__file__).parent
ROOT = PACKAGE.parent

FLOORS = {
    **dict.fromkeys(("cli", "__main__"), 7),
    **dict.fromkeys(("config", "experiment", "ablation", "recipe", "sweep", "download"), 6),
    **dict.fromkeys(("training", "tuning", "plan", "export"), 5),
    **dict.fromkeys(
        (
            "evaluation",
            "report",
            "results",
            "dev_set",
            "recurrent_tuning",
            "learning_curve",
            "comparison",
            "transcription",
            "audit",
            "inspection",
        ),
        4,
    ),
    **dict.fromkeys(("recognizer", "loading", "classifier", "hearing", "streaming"), 3),
    **dict.fromkeys(
        (
            "settings",
            "acoustic",
            "acoustic_stream",
            "checkpoint",
            "stored_decoder",
            "inputs",
            "data",
            "shards",
        ),
        2,
    ),
    **dict.fromkeys(("onnx_model", "kinds", "recurrent_lm"), 2),
    **dict.fromkeys(("corpus", "writers", "synthesis", "text_alignment", "provenance"), 2),
    **dict.fromkeys(
        ("audio", "audio_files", "av_files", "audio_pipe", "feature_files", "features", "feature_settings"), 1
    ),
    **dict.fromkeys(
        ("augment_settings", "model_settings", "trainer_settings", "onnx_file", "windows", "filters"), 1
    ),
    **dict.fromkeys(("augment", "text", "units", "manifest", "models", "scoring"), 1),
    **dict.fromkeys(("decoding", "lm", "alignment", "viterbi", "fit"), 1),
    **dict.fromkeys(("errors", "types", "compiled", "wording", "whole_files", "memory", "folders"), 0),
}

SIBLINGS = {
    ("__main__", "cli"),
    ("recognizer", "hearing"),
    ("loading", "recognizer"),
    ("loading", "hearing"),
    ("classifier", "hearing"),
    ("experiment", "config"),
    ("ablation", "config"),
    ("ablation", "recipe"),
    ("ablation", "sweep"),
    ("recipe", "config"),
    ("recipe", "experiment"),
    ("recipe", "download"),
    ("sweep", "config"),
    ("report", "evaluation"),
    ("comparison", "evaluation"),
    ("results", "evaluation"),
    ("dev_set", "evaluation"),
    ("recurrent_tuning", "dev_set"),
    ("recurrent_lm", "settings"),
    ("stored_decoder", "recurrent_lm"),
    ("audit", "evaluation"),
    ("audit", "report"),
    ("checkpoint", "settings"),
    ("stored_decoder", "settings"),
    ("checkpoint", "acoustic"),
    ("checkpoint", "kinds"),
    ("acoustic", "kinds"),
    ("acoustic", "acoustic_stream"),
    ("recognizer", "streaming"),
    ("data", "inputs"),
    ("corpus", "inputs"),
    ("corpus", "shards"),
    ("audio", "audio_files"),
    ("audio_files", "av_files"),
    ("features", "feature_settings"),
    ("features", "filters"),
    ("filters", "feature_settings"),
    ("augment", "augment_settings"),
    ("models", "model_settings"),
    ("text", "onnx_file"),
    ("units", "text"),
    ("units", "onnx_file"),
    ("onnx_model", "settings"),
    ("decoding", "lm"),
    ("decoding", "alignment"),
    ("alignment", "viterbi"),
}
"""Rooms of one floor of which the first may import the second; only what is really imported may stand here."""

TORCH_ROOMS = {
    "features",
    "filters",
    "augment",
    "models",
    "acoustic",
    "acoustic_stream",
    "checkpoint",
    "data",
    "recurrent_lm",
    "training",
    "export",
    "experiment",
    "inspection",
    "cli",
}
WITHOUT_TORCH = [
    *(
        "errors",
        "types",
        "wording",
        "audio",
        "audio_files",
        "av_files",
        "audio_pipe",
        "feature_files",
        "feature_settings",
        "text",
        "units",
        "manifest",
    ),
    *(
        "decoding",
        "scoring",
        "inputs",
        "writers",
        "text_alignment",
        "provenance",
        "recognizer",
        "classifier",
        "hearing",
        "streaming",
        "evaluation",
        "report",
        "comparison",
        "audit",
        "dev_set",
        "plan",
        "learning_curve",
        "cli",
        "corpus",
        "shards",
        "lm",
        "alignment",
        "windows",
        "transcription",
        "fit",
    ),
    *("settings", "augment_settings", "model_settings", "checkpoint", "stored_decoder"),
    *("onnx_file", "onnx_model", "kinds", "recurrent_tuning"),
]
"""Rooms whose import, whatever they import in turn, must not load torch."""

PUBLIC = [
    *(
        "Alignment",
        "AsrError",
        "AttentionDecoder",
        "AttentionSearch",
        "AudioError",
        "BeamDecoder",
        "BeamSettings",
        "CheckpointError",
        "ConfigError",
        "DecoderError",
        "EndpointRules",
        "Hypothesis",
    ),
    *("LanguageModelError", "ManifestError", "Recognizer", "Transcript", "Utterance", "VocabularyError"),
    *("Word", "WorkerError", "evaluate", "load", "load_language_model", "read_manifest", "write_manifest"),
]

FILES = sorted(path for path in PACKAGE.rglob("*.py") if "bundled" not in path.parts)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}


def room(module: str) -> str:
    return module.split(".")[1]


def imported_names(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported anywhere in a file, in functions and for type checking too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where they point"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else str(node.module)


IMPORTS = {name: set(imported_names(ast.parse(path.read_text()))) for name, path in MODULES.items()}
EDGES = {
    name: {target for target in targets if target in MODULES} - {"asr"}
    for name, targets in IMPORTS.items()
    if name != "asr"
}


def test_every_room_has_its_floor():
    assert {room(module) for module in MODULES if module != "asr"} == set(FLOORS)


def test_imports_point_down():
    wrong, used = [], set()
    for module, targets in EDGES.items():
        for target in targets:
            pair = (room(module), room(target))
            if pair in SIBLINGS:
                used.add(pair)
            elif pair[0] != pair[1] and FLOORS[pair[1]] >= FLOORS[pair[0]]:
                wrong.append(f"{module} -> {target}")
    assert wrong == []
    assert used == SIBLINGS


def test_no_import_goes_in_a_circle():
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path, module))
        if module not in done:
            for target in EDGES[module]:
                visit(target, (*path, module))
            done.add(module)

    for module in EDGES:
        visit(module, ())


def test_torch_is_imported_only_where_it_may_be():
    users = {
        room(module)
        for module, targets in IMPORTS.items()
        if any(target.split(".")[0] in ("torch", "lightning", "safetensors") for target in targets)
    }
    assert users <= TORCH_ROOMS


def test_lightning_has_one_room():
    users = {module for module, targets in IMPORTS.items() if any(t.startswith("lightning") for t in targets)}
    assert {room(module) for module in users} == {"training"}


def run(script: str, folder: Path) -> str:
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=folder)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def test_the_others_load_without_torch(tmp_path):
    modules = [module for module in EDGES if room(module) in WITHOUT_TORCH]
    assert len(modules) > 20
    script = f"import importlib, sys\nfor name in {modules}: importlib.import_module(name)\n"
    script += "print([name for name in ('torch', 'lightning', 'hydra') if name in sys.modules])"
    assert run(script, tmp_path) == "[]\n"


def test_importing_the_package_loads_nothing(tmp_path):
    script = "import sys; before = set(sys.modules); import asr; "
    script += (
        "print([n for n in set(sys.modules) - before if n.split('.')[0] not in sys.stdlib_module_names])"
    )
    assert run(script, tmp_path) == "['asr']\n"


def test_importing_everything_does_nothing(tmp_path):
    modules = [module for module in EDGES if room(module) != "__main__"]
    script = f"""
import importlib, json, logging, threading, warnings
warnings.simplefilter("error")
{third_party_filters()}
import torch
state = torch.get_rng_state()
for name in {modules}:
    importlib.import_module(name)
assert torch.equal(torch.get_rng_state(), state)
handlers = [name for name in logging.root.manager.loggerDict if name.startswith("asr")
            and logging.getLogger(name).handlers]
print(json.dumps({{"handlers": handlers, "root": len(logging.root.handlers), "threads": threading.active_count()}}))
"""
    assert json.loads(run(script, tmp_path)) == {"handlers": [], "root": 0, "threads": 1}
    assert list(tmp_path.iterdir()) == []


def third_party_filters() -> str:
    """The named exceptions of pyproject.toml, as code."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = []
    for entry in settings["tool"]["pytest"]["ini_options"]["filterwarnings"]:
        action, _, rest = entry.partition(":")
        if action == "ignore":
            message, _, category = rest.partition(":")
            lines.append(f"warnings.filterwarnings('ignore', {message!r}, {category.split(':')[0]})")
    return "\n".join(lines)


def test_the_public_names_are_these():
    assert asr.__all__ == PUBLIC == sorted(PUBLIC)
    assert set(PUBLIC) <= set(dir(asr))
    assert asr.__version__


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_what_its_room_calls_so(name):
    value = getattr(asr, name)
    assert value.__module__.startswith("asr.")
    assert getattr(importlib.import_module(value.__module__), name) is value


def test_a_name_that_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="transcribble"):
        asr.transcribble  # noqa: B018


def test_nothing_is_unpickled():
    calls = [
        f"{module}:{node.lineno}"
        for module, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("torch.load", "yaml.load", "eval", "exec")
    ]
    assert calls == []
    assert not [module for module, targets in IMPORTS.items() if targets & {"pickle", "marshal", "shelve"}]


def code_lines(function: ast.FunctionDef) -> int:
    """Lines of a function without its docstring and decorators."""
    has_docstring = ast.get_docstring(function) is not None
    first = function.body[0]
    docstring = first.end_lineno - first.lineno + 1 if has_docstring else 0
    return function.end_lineno - function.lineno + 1 - docstring


def test_functions_and_files_are_small():
    sizes = {
        f"{module}.{node.name}": code_lines(node)
        for module, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    assert statistics.median(sizes.values()) < 10
    assert len([name for name, size in sizes.items() if size > 40]) <= 2, sorted(sizes, key=sizes.get)[-5:]
    assert [module for module, path in MODULES.items() if len(path.read_text().splitlines()) > 300] == []


def test_every_module_has_its_tests():
    written = {path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_*.py")}
    tested = {
        "decoding": "decoding_greedy",
        "lm": "lm_ngram",
        "viterbi": "alignment",
        "corpus": "corpus_build",
        "inputs": "data",
        "types": "writers",
        "provenance": "cli_transcribe",
    }
    tested |= {
        "feature_settings": "features",
        "filters": "features",
        "augment_settings": "augment",
        "loading": "recognizer",
        "trainer_settings": "settings",
        "model_settings": "models",
        "errors": "architecture",
        "folders": "audio",
        "audio_files": "audio",
        "av_files": "audio",
        "experiment": "recipes",
        "hearing": "windows",
        "memory": "windows",
        "recipe": "recipes",
    }
    rooms = set(FLOORS) - {"__main__"}
    assert {name for name in rooms if tested.get(name, name) not in written} == set()
