"""A local Ray cluster of two processors, a worker of which is killed on the way; `make check-long` runs it."""

import subprocess
import sys
from pathlib import Path

import pytest
import toy_workers
from test_transcription import TEXTS, answers
from toys import write_corpus

from asr.errors import ConfigError
from asr.transcription import batches, cluster, find_jobs

ray = pytest.importorskip("ray")


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{Path(__file__).parent.parent}")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    yield started.address
    started.shutdown()


def test_a_killed_worker_of_a_cluster_costs_nothing(tmp_path: Path, address: str) -> None:
    (tmp_path / "marks").mkdir()
    write_corpus(tmp_path / "corpus", TEXTS)
    jobs = find_jobs([str(tmp_path / "corpus")])
    assert any(job.seconds > toy_workers.DEADLY for job in jobs)
    deadly = toy_workers.Deadly(str(tmp_path / "marks"), 1)
    found = answers(cluster.share(deadly, address, batches(jobs, 2), 0))
    assert found == dict(enumerate(TEXTS))
    assert len(list((tmp_path / "marks").iterdir())) == 1


def test_the_command_writes_there_what_it_writes_alone(tmp_path: Path, address: str) -> None:
    samples = Path(__file__).parents[1] / "recipes" / "demo" / "samples"
    command = [sys.executable, "-m", "asr", "transcribe", samples, "-m", "digits-en", "-q", "-f", "txt"]
    for name, options in (("alone", []), ("shared", ["--ray", address])):
        subprocess.run([*command, *options, "-o", tmp_path / name], check=True)
    alone, shared = (
        {path.name: path.read_text() for path in (tmp_path / name).iterdir()} for name in ("alone", "shared")
    )
    assert len(alone) > 3
    assert shared == alone


def test_no_cluster_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(ConfigError, match="no cluster there"):
        list(cluster.share(toy_workers.make_recognizer, "auto", iter([]), 0))
