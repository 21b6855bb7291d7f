"""Compiled code comes from the disk where there is one, and from the compiler where nothing can be written."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import asr

PACKAGE = Path(asr.__file__).parent
FIXTURES = Path(__file__).parent / "fixtures" / "lm"
SCRIPT = f"""
import asr
from asr.lm.lookup import advance
from asr.lm.ngram import NGram
print(asr.__file__)
print(NGram.load({str(FIXTURES / "order2.arpa.gz")!r}).score(["the"])[0] < 0)
print(advance.stats.cache_path)
print(sum(advance.stats.cache_hits.values()), "from the disk")
from asr.compiled import cache_folder
print(cache_folder() is None)
"""


@pytest.fixture
def score(tmp_path):
    """A function that scores a word in a new process, with a copy of the package and caches under a folder."""
    shutil.copytree(PACKAGE, tmp_path / "asr", ignore=shutil.ignore_patterns("__pycache__", "bundled"))

    def score(home: Path) -> tuple[str, str]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_")}
        environment |= {"PYTHONPATH": str(tmp_path), "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
        command = [sys.executable, "-W", "error", "-c", SCRIPT]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        where, negative, cache, hits, nowhere = done.stdout.splitlines()
        assert (cache == "None") == (nowhere == "True")
        assert (where, negative) == (str(tmp_path / "asr" / "__init__.py"), "True")
        return cache, hits

    return score


def close(folder: Path) -> None:
    """Make it impossible, even for root, to keep caches beside the files: a file has the folder's name."""
    for room in {path.parent for path in folder.rglob("*.py")}:
        shutil.rmtree(room / "__pycache__", ignore_errors=True)
        (room / "__pycache__").write_text("not a folder")


def test_the_second_process_compiles_nothing(score, tmp_path):
    beside = str(tmp_path / "asr" / "lm" / "__pycache__")
    assert score(tmp_path / "home") == (beside, "0 from the disk")
    assert score(tmp_path / "home") == (beside, "1 from the disk")


def test_a_read_only_package_is_cached_in_the_users_folder(score, tmp_path):
    close(tmp_path / "asr")
    cache, hits = score(tmp_path / "home")
    assert (Path(cache).is_relative_to(tmp_path / "home"), hits) == (True, "0 from the disk")
    assert score(tmp_path / "home") == (cache, "1 from the disk")


def test_where_nothing_can_be_written_it_runs_all_the_same(score, tmp_path):
    close(tmp_path / "asr")
    (tmp_path / "file").write_text("so there is no folder below")
    assert score(tmp_path / "file" / "home") == ("None", "0 from the disk")
