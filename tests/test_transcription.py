"""Many recordings: shared without loss or doubling, written whole or not at all, whoever dies on the way."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tone_language import RATE, random_texts, utter
from toy_workers import DEADLY, Deadly, make_recognizer, suicidal, unmakeable
from toys import write_corpus

from asr.errors import AsrError, AudioError, CheckpointError, ConfigError, OutputError, WorkerError
from asr.manifest import Utterance, write_manifest
from asr.transcription import Job, Printed, Saved, alone, batches, cluster, find_jobs, processes, run, shard
from asr.types import Transcript

TEXTS = random_texts(9, seed=2)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder, TEXTS)
    return folder


def ignore(job: Job, piece: Transcript) -> None:
    pass


def targets(folder: Path, *inputs: Path | str, recursive: bool = False) -> list[str]:
    return [job.target for job in find_jobs([str(one) for one in inputs], recursive=recursive)]


# --- jobs ----------------------------------------------------------------------------------------------------------


def test_folders_keep_their_inner_paths_and_no_two_outputs_one_name(write_audio, tmp_path):
    for name in ("x/a.wav", "x/a.flac", "x/in/a.wav", "y/a.wav", "y/b.c.wav"):
        write_audio(name, 0.1)
    x, y = tmp_path / "x", tmp_path / "y"
    assert targets(tmp_path, x, y, recursive=True) == ["a", "a.wav", "in/a", "a-2", "b.c"]
    assert targets(tmp_path, x) == ["a", "a.wav"]
    assert targets(tmp_path, x / "a.wav", x / "a.wav", "-") == ["a", "a.wav", "stdin"]


def test_an_empty_folder_costs_itself_alone(corpus, tmp_path):
    (tmp_path / "empty").mkdir()
    jobs = find_jobs([str(tmp_path / "empty"), str(corpus)])
    assert [job.target for job in jobs[:1]] == ["empty"]
    found = answers(alone.transcribe(make_recognizer(), batches(jobs, 4), 0, ignore))
    assert found.pop(0) == "AudioError"
    assert [found[number] for number in sorted(found)] == TEXTS


def test_a_manifest_is_a_job_a_line(tmp_path):
    lines = [
        Utterance(str(tmp_path / "a.wav"), 3.0, ""),
        Utterance(str(tmp_path / "a.wav"), 1.0, "", offset=0.5),
        Utterance(str(tmp_path / "b@home.wav"), 1.0, ""),
    ]
    write_manifest(tmp_path / "all.jsonl", lines)
    jobs = find_jobs([str(tmp_path / "all.jsonl")])
    assert [job.target for job in jobs] == ["a", "a@0.5s", "b@home"]
    assert [job.seconds for job in jobs] == [3.0, 1.0, 1.0]
    assert jobs[1].name.endswith("a.wav@0.5s")


@pytest.mark.parametrize("count", [1, 2, 4, 16])
def test_shards_are_disjoint_and_all(corpus, count):
    jobs = find_jobs([str(corpus)])
    parts = [shard(jobs, index, count) for index in range(1, count + 1)]
    assert sorted(job.number for part in parts for job in part) == list(range(len(TEXTS)))
    assert parts == [shard(find_jobs([str(corpus)]), index, count) for index in range(1, count + 1)]


def test_batches_are_of_like_length_and_leave_nothing_out(corpus):
    jobs = find_jobs([str(corpus)])
    found = list(batches(jobs, 2))
    assert sorted(job.number for batch in found for job in batch) == list(range(len(TEXTS)))
    assert max(map(len, found)) == 2
    sizes = [[job.seconds for job in batch] for batch in found[:4]]  # the first eight were sorted together
    assert sizes == sorted(sizes)
    large = [Job(n, Utterance("a.wav", 3600.0, ""), str(n)) for n in range(3)]
    assert [len(batch) for batch in batches(large, 8)] == [1, 1, 1]


# --- workers -------------------------------------------------------------------------------------------------------


def answers(outcomes: Iterator) -> dict[int, str]:
    """Text or error by number; each job once."""
    found: dict[int, str] = {}
    for job, outcome in outcomes:
        assert job.number not in found
        found[job.number] = outcome.text if isinstance(outcome, Transcript) else type(outcome).__name__
    return found


def test_processes_give_what_one_gives(corpus, tmp_path):
    soundfile.write(tmp_path / "long.wav", utter(" ".join(TEXTS)), RATE)
    jobs = find_jobs([str(corpus), str(tmp_path / "long.wav"), str(tmp_path / "nowhere.wav")])
    pieces: dict[int, list[str]] = {}

    def on_piece(job: Job, piece: Transcript) -> None:
        pieces.setdefault(job.number, []).append(piece.text)

    shared = answers(processes.share(make_recognizer, 2, batches(jobs, 3), 0, on_piece))
    assert shared == dict(enumerate([*TEXTS, " ".join(TEXTS), "AudioError"]))
    assert pieces.keys() == {len(TEXTS)}, "of long recordings alone"
    assert " ".join(pieces.pop(len(TEXTS))) == " ".join(TEXTS)
    assert answers(alone.transcribe(make_recognizer(), batches(jobs, 3), 0, on_piece)) == shared
    assert " ".join(pieces[len(TEXTS)]) == " ".join(TEXTS)


@pytest.mark.parametrize(("times", "lost"), [(1, 0), (99, 1)])
def test_a_killed_worker_is_replaced_and_costs_one_recording_at_most(corpus, tmp_path, caplog, times, lost):
    soundfile.write(tmp_path / "deadly.wav", utter("ab cd ab cd"), RATE)
    (tmp_path / "marks").mkdir()
    jobs = find_jobs([str(tmp_path / "deadly.wav"), *map(str, sorted(corpus.glob("*.wav"))[:3])])
    short = [job for job in jobs if job.seconds <= DEADLY]
    given = [jobs[0], *short]
    deadly = Deadly(str(tmp_path / "marks"), times)
    outcomes = list(processes.share(deadly, 2, [given], 0, ignore))
    failed = [outcome for _, outcome in outcomes if isinstance(outcome, AsrError)]
    assert sorted(job.number for job, _ in outcomes) == sorted(job.number for job in given)
    assert len(failed) == lost
    assert all(isinstance(one, WorkerError) and "deadly.wav" in str(one) for one in failed)
    assert "was ended by SIGKILL (out of memory?)" in caplog.text


def test_workers_that_cannot_begin_are_an_error(corpus):
    jobs = find_jobs([str(corpus)])
    with pytest.raises(CheckpointError, match="no such model"):
        list(processes.share(unmakeable, 2, batches(jobs, 3), 0, ignore))
    with pytest.raises(WorkerError, match="ended with code 7 before it had loaded"):
        list(processes.share(suicidal, 2, batches(jobs, 3), 0, ignore))


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"asr\[ray\]"):
        list(cluster.share(make_recognizer, "auto", iter([]), 0))


# --- outputs -------------------------------------------------------------------------------------------------------


def transcript(text: str) -> Transcript:
    return Transcript(text, (), 0.0, 1.0)


def test_stdout_has_the_order_of_the_inputs(capsys):
    jobs = [Job(number, f"{number}.wav", str(number)) for number in (0, 2, 4, 6)]
    printed = Printed(jobs, "txt", True)
    printed.put(jobs[1], transcript("two"))
    assert capsys.readouterr().out == ""
    printed.put(jobs[0], transcript("zero"))
    assert capsys.readouterr().out == "0.wav\tzero\n2.wav\ttwo\n"
    assert printed.put_begun(jobs[3], transcript("si")) == ""
    printed.put(jobs[2], AudioError("broken"))
    assert printed.put_begun(jobs[3], transcript("si")) == "stdout"
    assert capsys.readouterr().out == "4.wav\t\n6.wav\tsi\n"


def test_a_file_is_there_when_it_is_whole(tmp_path):
    saved = Saved(tmp_path, ["txt", "json"])
    job = Job(0, "a.wav", "in/a")
    partial = [str(tmp_path / "in" / name) for name in ("a.txt.partial", "a.json.partial")]
    assert saved.put_begun(job, transcript("on")) == ", ".join(partial)
    saved.put(job, AudioError("broken"))
    assert not saved.has(job)
    assert {path.name for path in tmp_path.rglob("*.*")} == {"a.txt.partial", "a.json.partial"}
    saved.put(job, transcript("one"))
    assert saved.has(job)
    assert (tmp_path / "in" / "a.txt").read_text() == "one\n"
    assert json.loads((tmp_path / "in" / "a.json").read_text())["text"] == "one"
    assert {path.name for path in tmp_path.rglob("*.*")} == {"a.txt", "a.json"}


def test_what_is_there_stays_unless_it_is_to_be_done_again(tmp_path):
    job = Job(0, "a.wav", "a")
    (tmp_path / "a.txt").write_text("by hand\n")
    saved = Saved(tmp_path, ["txt", "srt"])
    assert not saved.has(job)
    saved.put(job, transcript("one"))
    assert (tmp_path / "a.txt").read_text() == "by hand\n"
    assert saved.has(job)
    again = Saved(tmp_path, ["txt", "srt"], overwrite=True)
    assert not again.has(job)
    again.put(job, transcript("one"))
    assert (tmp_path / "a.txt").read_text() == "one\n"


def test_a_folder_that_cannot_be_is_refused_before_the_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file: cannot be written \(File exists\); choose another"):
        Saved(tmp_path / "file", ["txt"]).prepare()
    Saved(tmp_path / "new" / "folder", ["txt"]).prepare()
    assert list((tmp_path / "new" / "folder").iterdir()) == []


# --- runs ----------------------------------------------------------------------------------------------------------


def test_progress_adds_up_to_the_audio(corpus, tmp_path):
    soundfile.write(tmp_path / "long.wav", utter(" ".join(TEXTS)), RATE)
    jobs = find_jobs([str(corpus), str(tmp_path / "long.wav"), str(tmp_path / "nowhere.wav")])
    seen: list[tuple[int, float, bool]] = []
    summary = run(
        lambda on_piece: alone.transcribe(make_recognizer(), batches(jobs, 4), 0, on_piece),
        Saved(tmp_path / "out", ["txt"]),
        lambda job, seconds, is_done: seen.append((job.number, seconds, is_done)),
    )
    assert (summary.num_done, len(summary.failures), summary.is_stopped) == (len(TEXTS) + 1, 1, False)
    assert summary.seconds == pytest.approx(sum(job.seconds for job in jobs[:-1]))
    assert sum(seconds for _, seconds, _ in seen) == pytest.approx(summary.seconds)
    assert sum(is_done for _, _, is_done in seen) == len(jobs)
    assert len(seen) > len(jobs), "pieces of the long one"


def test_what_is_stopped_keeps_what_it_has(tmp_path):
    soundfile.write(tmp_path / "long.wav", utter(" ".join(TEXTS)), RATE)
    soundfile.write(tmp_path / "a.wav", utter("ab"), RATE)
    jobs = find_jobs([str(tmp_path / "a.wav"), str(tmp_path / "long.wav")])
    pieces = []

    def stop_at_the_third(job: Job, seconds: float, is_done: bool) -> None:
        pieces.append(seconds)
        if len(pieces) == 4:
            raise KeyboardInterrupt

    saved = Saved(tmp_path / "out", ["txt"])

    def team(on_piece):
        return alone.transcribe(make_recognizer(), [[job] for job in jobs], 0, on_piece)

    summary = run(team, saved, stop_at_the_third)
    assert summary.is_stopped
    assert [saved.has(job) for job in jobs] == [True, False]
    begun = (tmp_path / "out" / "long.txt.partial").read_text().strip()
    assert 3 <= len(begun.split()) < len(" ".join(TEXTS).split())
    assert " ".join(TEXTS).startswith(begun)
    assert "long.txt.partial" in summary.begun[0]
    assert not run(team, saved).is_stopped
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.txt", "long.txt"}
    assert (tmp_path / "out" / "long.txt").read_text().strip() == " ".join(TEXTS)


def test_silence_is_no_words(tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(RATE * 8, np.int16), RATE)
    (job,) = find_jobs([str(tmp_path / "silence.wav")])
    ((_, outcome),) = alone.transcribe(make_recognizer(), [[job]], 0, ignore)
    assert (outcome.text, outcome.words) == ("", ())
    assert outcome.duration == pytest.approx(8.0)
