"""`asr transcribe` as a process: what is on stdout, what on stderr, which exit code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

import asr
from asr.manifest import read_manifest

SAMPLES = Path(__file__).parent.parent / "recipes" / "demo" / "samples"
UTTERANCES = read_manifest(SAMPLES / "samples.jsonl")
PATHS = [utterance.audio_filepath for utterance in UTTERANCES]


def run(*arguments: str | Path, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "asr", "transcribe", *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture(scope="module")
def recognizer() -> asr.Recognizer:
    return asr.load("digits-en")


def test_command_line_and_api_write_the_same_text(recognizer: asr.Recognizer) -> None:
    done = run(*PATHS[:4], "-m", "digits-en")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [recognizer.transcribe(path).text for path in PATHS[:4]]
    assert "times real time" in done.stderr


def test_a_folder_is_searched(recognizer: asr.Recognizer) -> None:
    done = run(SAMPLES, "-m", "digits-en", "--with-filename")
    names = [line.partition("\t")[0] for line in done.stdout.splitlines()]
    assert names == sorted(PATHS)


def test_standard_input(recognizer: asr.Recognizer) -> None:
    done = run("-", "-m", "digits-en", stdin=Path(PATHS[4]).read_bytes())
    assert done.stdout == recognizer.transcribe(PATHS[4]).text + "\n"


def test_quiet_leaves_stderr_empty() -> None:
    assert run(PATHS[0], "-q").stderr == ""


def test_a_bad_file_is_named_and_the_rest_goes_on(tmp_path: Path, recognizer: asr.Recognizer) -> None:
    bad = tmp_path / "letter.wav"
    bad.write_text("Dear Sir or Madam")
    done = run(PATHS[0], bad, tmp_path / "absent.flac", PATHS[1])
    assert done.returncode == 1
    first, *failed, last = done.stdout.split("\n")[:-1]
    assert (first, last) == tuple(recognizer.transcribe(path).text for path in PATHS[:2])
    assert failed == ["", ""], "lines and recordings pair up"
    complaints = [line for line in done.stderr.splitlines() if str(tmp_path) in line]
    assert len(complaints) == 2
    assert "text, not audio" in complaints[0]
    assert "Traceback" not in done.stderr


def test_json_lines_hold_words_with_times_and_confidences() -> None:
    done = run(*PATHS[:2], "-f", "json", "-q")
    for line, utterance in zip(done.stdout.splitlines(), UTTERANCES, strict=False):
        entry = json.loads(line)
        assert entry["file"] == utterance.audio_filepath
        assert entry["text"] == " ".join(word["text"] for word in entry["words"])
        assert all(0 <= word["confidence"] <= 1 for word in entry["words"])
        ends = [word["end"] for word in entry["words"]]
        assert ends == sorted(ends)
        assert ends[-1] <= entry["duration"] + 0.05


def test_files_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    samples, rate = soundfile.read(PATHS[0])
    for suffix in ("wav", "flac"):
        soundfile.write(tmp_path / f"a.{suffix}", samples, rate)
    done = run(tmp_path / "a.wav", tmp_path / "a.flac", "-o", tmp_path / "out", "-f", "srt")
    assert done.stdout == ""
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["a.flac.srt", "a.srt"]
    assert (tmp_path / "out" / "a.srt").read_text().startswith("1\n00:00:0")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["x.wav", "-m", "no-such-model"], 1, "digits-en"),
        (["x.wav", "-f", "doc"], 2, "doc"),
        ([], 2, "Missing argument"),
    ],
)
def test_misuse_is_one_sentence(arguments: list[str], code: int, sentence: str) -> None:
    done = run(*arguments)
    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 1
    assert "no recording" in done.stderr


@pytest.fixture(scope="module")
def digits_lm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A unigram of the ten digits, built by the command that users build theirs with."""
    folder = tmp_path_factory.mktemp("lm")
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    (folder / "text.txt").write_text("".join(f"{a} {b}\n" for a in words for b in words))
    command = [sys.executable, "-m", "asr", "lm", "build", str(folder / "text.txt"), "--order", "2"]
    options = ["-o", str(folder / "lm.arpa"), "--discount-fallback"]
    subprocess.run(command + options, check=True, capture_output=True)
    return folder / "lm.arpa"


def test_a_strict_lexicon_leaves_nothing_misspelt(digits_lm: Path) -> None:
    done = run(*PATHS, "--decoder", "beam", "--lm", digits_lm, "--lexicon", "strict", "-q")
    assert done.returncode == 0, done.stderr
    heard = set(done.stdout.split())
    assert heard <= {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}
    said = [utterance.text for utterance in UTTERANCES]
    right = sum(a == b for a, b in zip(said, done.stdout.splitlines(), strict=True))
    assert right >= 10


def test_a_weight_of_zero_means_zero(digits_lm: Path) -> None:
    weights = ["--decoder", "beam", "--lm-beta", "0", "-f", "json", "-q"]
    plain = run(PATHS[0], *weights)
    weightless = run(PATHS[0], *weights, "--lm", digits_lm, "--lm-alpha", "0", "--unknown", "0")
    texts = [json.loads(done.stdout) for done in (plain, weightless)]
    assert texts[0]["text"] == texts[1]["text"]
    assert texts[0]["score"] == pytest.approx(texts[1]["score"], abs=1e-3)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--lm", "x.arpa"], "--decoder beam"),
        (["--beam-width", "8"], "--decoder beam"),
        (["--decoder", "beam", "--lm-alpha", "1"], "--lm"),
    ],
)
def test_options_that_need_another_say_so(options: list[str], named: str) -> None:
    done = run(PATHS[0], *options)
    assert done.returncode == 2
    assert named in done.stderr.replace("\n", " ")


def test_a_language_model_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.arpa").write_text("not a model")
    done = run(PATHS[0], "--decoder", "beam", "--lm", tmp_path / "x.arpa")
    assert done.returncode == 1
    assert "x.arpa" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failed_recording_is_an_object_in_json(tmp_path: Path) -> None:
    done = run(PATHS[0], tmp_path / "absent.wav", "-f", "json")
    entries = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert "text" in entries[0]
    assert "absent.wav" in entries[1]["error"]


def test_two_recordings_are_not_one_subtitle_file(tmp_path: Path) -> None:
    done = run(*PATHS[:2], "-f", "srt")
    assert done.returncode == 2
    assert "--output-dir" in done.stderr


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(PATHS[0], "-o", tmp_path / "file")
    assert done.returncode == 1
    assert str(tmp_path / "file") in done.stderr
    assert "Traceback" not in done.stderr
