"""The recipes of corpora too large to be at hand: their layouts in miniature are prepared, fetched, trained on."""

import errno
import importlib.util
import io
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest
from publishers import PUBLISHED

from asr import audio
from asr.download import Archive
from asr.errors import ManifestError
from asr.manifest import read_manifest
from asr.recipe import attempt

RECIPES = Path(__file__).parents[1] / "recipes"
WITH_ADDRESS = ["fsdd", "librispeech", "ljspeech", "speechcommands", "tedlium", "vctk", "yesno"]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{name}_prepare", RECIPES / name / "prepare.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=PUBLISHED)
def name(request) -> str:
    return request.param


@pytest.fixture
def corpus(name, tmp_path) -> Path:
    """The folder that an archive of it would be unpacked to."""
    PUBLISHED[name].build(tmp_path / "corpus" / PUBLISHED[name].folder)
    return tmp_path / "corpus"


def contents(paths: dict[str, Path], root: Path) -> dict[str, list[tuple]]:
    """Each set as ``Published.sets`` has it."""
    sets = {}
    for name, path in paths.items():
        sets[name] = [
            (
                Path(u.audio_filepath).relative_to(root).with_suffix("").as_posix(),
                *(u.text, u.speaker),
                *(() if u.offset is None else (u.offset, round(u.duration, 6))),
            )
            for u in read_manifest(path)
        ]
    return sets


def test_the_official_sets_are_found(name, corpus, tmp_path):
    root = corpus / PUBLISHED[name].folder
    paths = load(name).prepare(root, tmp_path / "data")
    assert contents(paths, root) == PUBLISHED[name].sets
    # The folder around it does as well, and the bytes are the same.
    around = load(name).prepare(corpus, tmp_path / "again")
    assert all(around[set_].read_bytes() == path.read_bytes() for set_, path in paths.items())


def test_any_audio_will_do(name, tmp_path):
    PUBLISHED[name].build(tmp_path / "corpus", suffix=".ogg")
    paths = load(name).prepare(tmp_path / "corpus", tmp_path / "data")
    assert contents(paths, tmp_path / "corpus") == PUBLISHED[name].sets
    assert all(u.audio_filepath.endswith(".ogg") for path in paths.values() for u in read_manifest(path))


def test_what_is_left_out_is_counted(tmp_path, capsys):
    PUBLISHED["tedlium"].build(tmp_path / "tedlium")
    load("tedlium").prepare(tmp_path / "tedlium", tmp_path / "data")
    said = capsys.readouterr().err
    assert said.count("1 segments with ignore_time_segment_in_scoring are left out") == 3
    assert said.count("train: 1 segments with <unk> are left out") == said.count("<unk>") == 1
    PUBLISHED["vctk"].build(tmp_path / "vctk")
    load("vctk").prepare(tmp_path / "vctk", tmp_path / "data")
    assert re.search(
        r"2 entries are left out; the first: .*p315_001_mic1.*p315_001\.txt is not there",
        capsys.readouterr().err,
    )


def test_another_folder_is_refused_with_the_home(name, tmp_path):
    recipe = load(name)
    with pytest.raises(ManifestError, match=r"absent: no .* in it; get the corpus from https://"):
        recipe.prepare(tmp_path / "absent", tmp_path / "data")


def test_a_corpus_without_recordings_is_refused(name, corpus, tmp_path):
    for path in audio.find(corpus):
        path.unlink()
    with pytest.raises(ManifestError, match=r"\.jsonl: no utterance falls into it; get the rest"):
        load(name).prepare(corpus, tmp_path / "data")


def test_a_malformed_segment_is_named(tmp_path):
    PUBLISHED["tedlium"].build(tmp_path)
    (tmp_path / "data" / "stm" / "Ann_2001.stm").write_text("Ann_2001 1 Ann_2001 zero 1.0 <NA> hello\n")
    with pytest.raises(ManifestError, match=r"Ann_2001\.stm:1: not a talk, channel, speaker"):
        load("tedlium").prepare(tmp_path, tmp_path)


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name in WITH_ADDRESS], indirect=True)
def test_without_a_folder_it_is_downloaded(name, corpus, home, tmp_path, monkeypatch, capsys):
    recipe, packed = load(name), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(corpus, ".")
    monkeypatch.setattr(recipe, "ARCHIVES", [home.archive(f"{name}.tar.gz", packed.getvalue())])
    monkeypatch.setattr(sys, "argv", ["prepare.py", "--output-dir", str(tmp_path / "data")])
    assert recipe.main() == 0
    assert capsys.readouterr().out.splitlines()[0].split()[0] in PUBLISHED[name].sets
    paths = {set_: tmp_path / "data" / f"{set_}.jsonl" for set_ in PUBLISHED[name].sets}
    unpacked = tmp_path / "data" / "download" / name / PUBLISHED[name].folder
    assert contents(paths, unpacked) == PUBLISHED[name].sets
    assert recipe.main() == 0
    assert len(home.asked) == 1


@pytest.mark.parametrize("name", WITH_ADDRESS, indirect=True)
def test_addresses_and_checksums_are_well_formed(name):
    archives = load(name).ARCHIVES
    for archive in archives.values() if isinstance(archives, dict) else archives:
        assert isinstance(archive, Archive)
        assert re.fullmatch(r"https://\S+\.(zip|tgz|tar\.gz|tar\.bz2)", archive.url)
        assert re.fullmatch(r"sha256:[0-9a-f]{64}|", archive.checksum)


def test_ctrl_c_is_one_sentence(capsys):
    def interrupted() -> int:
        raise KeyboardInterrupt

    assert attempt("vctk", interrupted) == 130
    assert capsys.readouterr().err == "vctk: interrupted; the same command goes on where it was stopped.\n"


def test_a_path_that_cannot_be_read_is_one_sentence(tmp_path, capsys):
    assert attempt("bundle", lambda: len((tmp_path / "nosuch.md").read_text())) == 1
    assert capsys.readouterr().err == (
        f"bundle: {tmp_path}/nosuch.md: No such file or directory; check the path, its permissions and the disk.\n"
    )

    def full() -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert attempt("bundle", full) == 1
    assert capsys.readouterr().err.startswith("bundle: standard output or a file: No space left on device; ")


def test_training_starts(name, corpus, tmp_path):
    arguments = ["--corpus-dir", corpus, "--output-dir", tmp_path / "data", "--run-dir", tmp_path / "runs"]
    tiny = ["model.num_layers=1", "model.hidden_size=8", "model.num_channels=8", "model.subsampling=1"]
    short = ["trainer.max_epochs=1", "trainer.watch_gradients=false", "data.num_workers=0"]
    command = [sys.executable, RECIPES / name / "run.py", *arguments, *tiny, *short]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "| seed | dev WER | test | epoch | minutes |" in done.stdout
    assert (tmp_path / "runs" / "seed1" / "best" / "weights.safetensors").is_file()
