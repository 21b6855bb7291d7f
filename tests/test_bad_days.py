"""What bad days bring ends in one sentence each, exit code 1, no traceback, within a minute and 2 GB."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from bad_inputs import Bad, sentence_of, write_all
from toys import write_unigram

import asr
from asr import stored_decoder
from asr.manifest import read_manifest
from asr.stored_decoder import StoredDecoder

ROOT = Path(asr.__file__).parent.parent
BUNDLED = Path(asr.__file__).parent / "bundled" / "digits-en"
SAMPLES = ROOT / "recipes" / "demo" / "samples"
GOOD = read_manifest(SAMPLES / "samples.jsonl")[0]
HEARD = asr.load("digits-en").transcribe(GOOD.audio_filepath).text
SECONDS, KILOBYTES = 60, 2_000_000


class Done(NamedTuple):
    code: int
    stdout: str
    stderr: str


def run(
    *arguments: str | Path, prefix: Sequence[str] = (), program: Sequence[str] = ("-m", "asr"), **options
) -> Done:
    """`asr` as a process of its own, which takes no more than is allowed."""
    command = [*prefix, sys.executable, *program, *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        options = {"stdout": out, "stderr": err, "env": environment} | options
        process = subprocess.Popen(command, **options)
        hangs = threading.Timer(
            5 * SECONDS, process.kill
        )  # on a busy machine; its own seconds are counted below
        hangs.start()
        _, status, used = os.wait4(process.pid, 0)
        hangs.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        done = Done(process.returncode, out.read().decode(), err.read().decode())
    assert "Traceback" not in done.stderr
    assert used.ru_maxrss < KILOBYTES
    assert used.ru_utime + used.ru_stime < SECONDS
    return done


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory) -> tuple[Path, list[Bad]]:
    folder = tmp_path_factory.mktemp("bad") / "files"
    return folder, write_all(folder)


def test_a_folder_of_bad_recordings(bad_files, tmp_path):
    folder, files = bad_files
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "folder.wav").mkdir()
    others = {
        tmp_path / "folder.wav": r"no recording, but a folder .+",
        pipe: r"a pipe that nobody writes into; start what writes, or remove it\.",
        Path("/dev/zero"): r"a device, not a recording; give - and pipe its sound in\.",
        folder / "absent.wav": r"cannot be read \(No such file or directory\); check the path .+\.",
    }
    refused = {folder / one.name: one.reason for one in files if one.reason} | others
    heard = [folder / one.name for one in files if not one.reason]
    assert len(refused) >= 60
    done = run("transcribe", "-m", "digits-en", *heard, *refused, GOOD.audio_filepath, "-f", "json")
    assert done.code == 1
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len(heard) + len(refused) + 1
    missing = [
        path.name for path, reason in refused.items() if not sentence_of(path, reason).search(done.stderr)
    ]
    assert missing == []
    sentences = [line for line in done.stderr.splitlines() if str(folder) in line]
    assert [line for line in sentences if not line.endswith(".")] == []
    assert [line["file"] for line in lines if "error" in line] == [str(path) for path in refused]
    assert lines[-1]["text"] == HEARD


def test_a_name_of_any_bytes_is_one_line_of_text(bad_files, digits_onnx):
    folder, files = bad_files
    odd = [one.name for one in files if not one.name.isprintable()]
    done = run("transcribe", *(folder / name for name in odd), "-H", "-q", "-m", digits_onnx)
    assert len(done.stdout.splitlines()) == len(odd)
    assert r"two\nlines.wav" in done.stdout
    assert r"\x1b[31mred.wav" in done.stdout
    assert r"caf\udce9.wav" in done.stdout


def as_a_user(*arguments: str | Path) -> Done:
    """As whoever runs the tests; where that is root, without its right to read and write everything."""
    if os.geteuid() != 0:
        return run(*arguments)
    lost = "-dac_override,-dac_read_search"
    return run(*arguments, prefix=("setpriv", f"--bounding-set={lost}", f"--inh-caps={lost}"))


def test_what_may_not_be_read_or_written(tmp_path, digits_onnx):
    command = ("transcribe", GOOD.audio_filepath, "-m", digits_onnx)  # which starts sooner
    closed = tmp_path / "closed"
    closed.mkdir()
    for path in (tmp_path / "mine.wav", closed / "inside.wav"):
        shutil.copy(GOOD.audio_filepath, path)
    (tmp_path / "mine.wav").chmod(0)
    closed.chmod(0)
    try:
        done = as_a_user(*command, tmp_path / "mine.wav", closed / "inside.wav")
        assert (done.code, done.stdout) == (1, f"{HEARD}\n\n\n")
        for path in (tmp_path / "mine.wav", closed / "inside.wav"):
            denied = r"cannot be read \(Permission denied\); check the path and its permissions\."
            assert sentence_of(path, denied).search(done.stderr)
        closed.chmod(0o500)
        done = as_a_user(*command, "-o", closed, "-q")
        assert re.fullmatch(rf"asr: {closed}.*: .*Permission denied.*; .+\.\n", done.stderr)
        assert done.code == 1
    finally:
        closed.chmod(0o700)


def full_disk(size: int) -> Callable[[], None]:
    """Files of the process may not get longer, which fails as a full disk does."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def test_a_full_disk_is_one_sentence(tmp_path, digits_onnx):
    out = tmp_path / "out"
    command = ("transcribe", SAMPLES, "-m", digits_onnx, "-f", "json,txt", "-o", out, "-q")
    done = run(*command, preexec_fn=full_disk(1000))
    assert re.fullmatch(
        rf"asr: {out}/.+\.json: cannot be written \(File too large\); make room or choose another .+\.\n",
        done.stderr,
    )
    assert done.code == 1
    assert list(out.iterdir()) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has the device")
def test_a_full_disk_behind_stdout_is_one_sentence():
    with open("/dev/full", "wb") as full:
        done = run("models", stdout=full)
    assert done.code == 1
    assert re.fullmatch(r"asr: standard output .*: No space left on device; check .+\.\n", done.stderr)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def byte_changed(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[5] ^= 0x55
    path.write_bytes(content)


def replaced(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content) and None


def settings_changed(**changes: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        values = yaml.safe_load(path.read_text())
        for group, settings in changes.items():
            values[group] |= settings
        path.write_text(yaml.safe_dump(values))

    return change


def pipe_in_its_place(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def last_byte_changed(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-4] ^= 0x01  # the least bit of a weight
    path.write_bytes(content)


def swapped_symbols(path: Path) -> None:
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-2], lines[-1], lines[-2]]) + "\n")


def other_vocabulary(path: Path) -> None:
    path.write_text(path.read_text() + "ß\n")


DAMAGED_MODELS: list[tuple[str, Callable[[Path], None], str]] = [
    ("config.yaml", Path.unlink, "no model directory"),
    ("config.yaml", replaced(b""), "not a YAML mapping"),
    ("config.yaml", cut, r"config\.yaml: .+"),
    ("config.yaml", replaced(b"\x00\xff" * 99), "cannot be read as YAML"),
    (
        "config.yaml",
        settings_changed(model={"hidden_size": 64}),
        r"weights\.safetensors does not fit config\.yaml",
    ),
    ("config.yaml", settings_changed(model={"hidden_size": 50_000}), r"weights\.safetensors does not fit"),
    ("config.yaml", settings_changed(model={"num_layers": 10**9}), "more than 100"),
    ("config.yaml", settings_changed(features={"num_mels": 10**9}), "at most 1024"),
    ("config.yaml", pipe_in_its_place, "no model directory"),
    ("weights.safetensors", Path.unlink, "no model directory"),
    ("weights.safetensors", replaced(b""), "copy it again, whole"),
    ("weights.safetensors", cut, "copy it again, whole"),
    ("weights.safetensors", byte_changed, "copy it again, whole"),
    ("weights.safetensors", replaced((BUNDLED / "config.yaml").read_bytes()), "copy it again, whole"),
    ("weights.safetensors", last_byte_changed, "is not the one that the model was saved with; copy"),
    ("vocabulary.txt", swapped_symbols, "is not the one that the model was saved with; copy"),
    ("vocabulary.txt", Path.unlink, "copy it again, whole"),
    ("vocabulary.txt", replaced(b""), "line 1 must be <blank>"),
    ("vocabulary.txt", cut, r"copy it again, whole|does not fit"),
    ("vocabulary.txt", replaced(b"<blank>\n\xff\n"), "copy it again, whole"),
    ("vocabulary.txt", other_vocabulary, "does not fit"),
    ("vocabulary.txt", pipe_in_its_place, "copy it again, whole"),
    ("decoder.yaml", replaced(b"format_vers"), "decodes greedily"),
    ("decoder.yaml", replaced(b"decoder: [beam\n"), "decodes greedily"),
    ("lm.bin", Path.unlink, "`asr tune` packs it anew"),
    ("lm.bin", cut, "`asr tune` packs it anew"),
    ("lm.bin", byte_changed, "`asr tune` packs it anew"),
    ("lm.bin", replaced((BUNDLED / "weights.safetensors").read_bytes()), "`asr tune` packs it anew"),
]

MANY = """
import contextlib, io, json, sys
from asr.cli import main
for arguments in json.load(sys.stdin):
    sys.argv = ["asr", *arguments]
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        try:
            main()
        except SystemExit as end:
            print(json.dumps([end.code, stderr.getvalue()]), file=sys.__stderr__)
"""


def run_many(commands: Sequence[Sequence[str]], folder: Path) -> list[tuple[object, str]]:
    """Commands one after the other in one process, so that torch is imported once: exit code and stderr of each.

    A text as exit code is what Python prints on stderr before it exits with 1.
    """
    (folder / "commands.json").write_text(json.dumps(commands))
    with open(folder / "commands.json") as given:
        done = run(stdin=given, program=("-c", MANY))
    assert done.code == 0
    return [tuple(json.loads(line)) for line in done.stderr.splitlines()]


def tuned(folder: Path) -> Path:
    """The bundled model with a language model."""
    shutil.copytree(BUNDLED, folder)
    arpa = folder.parent / "lm.arpa"
    arpa.write_text(write_unigram(arpa).read_text().replace("bad", "seven"))
    stored_decoder.save(folder, StoredDecoder(), arpa)
    return folder


def test_a_model_with_a_file_missing_swapped_or_damaged(tmp_path, digits_onnx):
    whole = tuned(tmp_path / "whole")
    commands = []
    for number, (name, damage, _) in enumerate(DAMAGED_MODELS):
        folder = shutil.copytree(whole, tmp_path / f"model{number}")
        damage(folder / name)
        commands.append(["transcribe", GOOD.audio_filepath, "-q", "-m", str(folder)])
    for damage in (cut, byte_changed, replaced(b"")):
        exported = tmp_path / f"model{len(commands)}.onnx"
        shutil.copy(digits_onnx, exported)
        damage(exported)
        commands.append(["transcribe", GOOD.audio_filepath, "-q", "-m", str(exported)])
    results = run_many([*commands, ["transcribe", GOOD.audio_filepath, "-q", "-m", str(whole)]], tmp_path)
    reasons = [reason for *_, reason in DAMAGED_MODELS] + ["copy .+"] * 3
    assert results.pop() == (0, "")
    for number, ((code, stderr), reason) in enumerate(zip(results, reasons, strict=True)):
        case = DAMAGED_MODELS[number][:2] if number < len(DAMAGED_MODELS) else "onnx"
        assert re.fullmatch(rf"asr: .*model{number}\b.*(?:{reason}).*\.", str(code)), (case, code)
        assert stderr == ""
