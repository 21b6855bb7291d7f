"""`asr transcribe` as a process: what is on stdout, what on stderr, which exit code."""

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile
import typer
from conftest import tones

import asr
from asr.cli import decoder
from asr.cli.decoder import DecoderName, DecoderOptions, make_decoder
from asr.cli.hotwords import HOTWORD_BOOST, parse_hotwords
from asr.manifest import read_manifest
from asr.writers import FORMATS

SAMPLES = Path(__file__).parent.parent / "recipes" / "demo" / "samples"
UTTERANCES = read_manifest(SAMPLES / "samples.jsonl")
PATHS = [utterance.audio_filepath for utterance in UTTERANCES]


def run(*arguments: str | Path, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "asr", "transcribe", "-m", "digits-en", *map(str, arguments)]
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


def test_files_of_a_lower_rate_are_warned_of_once(tmp_path: Path) -> None:
    for name in "abc":
        soundfile.write(tmp_path / f"{name}.wav", tones(1.0, 4000), 4000)
    done = run(tmp_path, "-m", "digits-en")
    assert done.returncode == 0
    assert done.stderr.count("the high frequencies are missing") == 1
    assert "asr: 3 files have a lower sample rate than the model; the first is named above.\n" in done.stderr
    assert "lower sample rate" not in run(tmp_path / "a.wav", "-m", "digits-en").stderr


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


def test_json_says_what_made_it() -> None:
    weights = (Path(asr.__file__).parent / "bundled" / "digits-en" / "weights.safetensors").read_bytes()
    for options, name in ([], "greedy"), (["--decoder", "beam", "--beam-width", "8"], "beam"):
        meta = json.loads(run(PATHS[0], "-f", "json", "-q", *options).stdout)["_meta"]
        assert (meta["asr"], meta["model"], meta["language_model"]) == (asr.__version__, "digits-en", None)
        assert meta["weights"] == f"sha256:{hashlib.sha256(weights).hexdigest()}"
        assert meta["decoder"]["name"] == name
    assert meta["decoder"]["beam_width"] == 8


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
    done = run(*PATHS, "--lm", digits_lm, "--lexicon", "strict", "-q")
    assert done.returncode == 0, done.stderr
    heard = set(done.stdout.split())
    assert heard <= {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}
    said = [utterance.text for utterance in UTTERANCES]
    right = sum(a == b for a, b in zip(said, done.stdout.splitlines(), strict=True))
    assert right >= 10


def test_a_weight_of_zero_means_zero(digits_lm: Path) -> None:
    weights = ["--decoder", "beam", "--lm-beta", "0", "-f", "json", "-q"]
    unknown = ["--unknown", "0", "--unknown-letter", "0"]
    plain = run(PATHS[0], *weights)
    weightless = run(PATHS[0], *weights, "--lm", digits_lm, "--lm-alpha", "0", *unknown)
    texts = [json.loads(done.stdout) for done in (plain, weightless)]
    assert texts[0]["text"] == texts[1]["text"]
    assert texts[0]["score"] == pytest.approx(texts[1]["score"], abs=1e-3)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--decoder", "greedy", "--lm", "x.arpa"], "--decoder beam"),
        (["--decoder", "greedy", "--beam-width", "8"], "--decoder beam"),
        (["--ctc-weight", "0.5"], "attention models"),
        (["--decoder", "greedy", "--hotwords", "five"], "--decoder beam"),
        (["--decoder", "greedy", "--nbest", "2"], "--decoder beam"),
        (["--decoder", "beam", "--lm-alpha", "1"], "--lm"),
        (["--nbest", "2", "-f", "ctm"], "--nbest is for txt and json"),
        (["--hotwords", "@nowhere.txt"], "nowhere.txt"),
    ],
)
def test_options_that_need_another_say_so(options: list[str], named: str) -> None:
    done = run(PATHS[0], *options)
    assert done.returncode == 2
    assert named in done.stderr.replace("\n", " ")


def test_greedy_and_beam_say_what_they_are(digits_lm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options, line in (
        ({}, "greedy"),
        ({"decoder": DecoderName.beam}, "beam of 64, no language model, beta 0"),
        (
            {"lm": digits_lm, "alpha": 0.0},
            f"beam of 64, {digits_lm}, alpha 0, beta 1, unknown -5 and -1 a letter",
        ),
        ({"beam_width": 8, "hotwords": "five:3,Two"}, "beam of 8, no language model, beta 0, 2 hotwords"),
    ):
        make_decoder(DecoderOptions(**options), "digits-en")
        assert capsys.readouterr().err == f"decoder: {line}\n"
    assert run(PATHS[0]).stderr.startswith("decoder: greedy\n")


def test_the_best_texts_stand_in_ranks() -> None:
    done = run(*PATHS[:2], "--nbest", "3", "-q", "-H")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[:2] for row in rows] == [[path, rank] for path in PATHS[:2] for rank in "123"]
    for first, second in ((rows[0], rows[1]), (rows[1], rows[2])):
        assert float(first[2]) >= float(second[2])
        assert float(first[2]) == pytest.approx(float(first[3]) + float(first[4]), abs=2e-3)
    entry = json.loads(run(PATHS[0], "--nbest", "3", "-q", "-f", "json").stdout)
    assert [one["text"] for one in entry["alternatives"]] == [row[5] for row in rows[:3]]
    assert entry["text"] == entry["alternatives"][0]["text"]
    assert entry["alternatives"][0].keys() == {"text", "score", "acoustic", "language"}


def test_hotwords_are_written_as_the_model_writes(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("Fou 30\n\n")
    path = next(u.audio_filepath for u in UTTERANCES if "four" in u.text.split())
    assert "fou" in run(path, "--hotwords", f"@{tmp_path / 'words.txt'}", "-q").stdout.split()
    refused = run(path, "--hotwords", "Köln")
    assert refused.returncode == 1
    assert "hotword 'köln': the model cannot write" in refused.stderr
    assert "Traceback" not in refused.stderr

    refused = run(path, "--hotwords", "...")
    assert refused.returncode == 2
    assert "hotword '...': the model writes" in " ".join(refused.stderr.split())


def test_who_waits_for_the_compiler_is_told_so(monkeypatch, capsys):
    class Uncompiled(asr.BeamDecoder):
        def warm_up(self) -> float:
            time.sleep(0.5)
            assert capsys.readouterr().err.startswith("compiling the beam search: ")
            return 0.5

    monkeypatch.setattr(decoder, "_PATIENCE", 0.01)
    decoder.warm_up(Uncompiled())
    assert capsys.readouterr().err.startswith("compiled the beam search in 0.5 s ")


def test_streams_that_are_closed_from_the_start() -> None:
    said, *_ = run(PATHS[0]).stdout.splitlines()
    command = f"{sys.executable} -m asr transcribe -q -m digits-en"
    done = subprocess.run(
        f"{command} {PATHS[0]} >&-; {command} - <&-; {command} {PATHS[0]} 2>&-",
        shell=True, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split("\n") == ["", said, ""]
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("asr: standard input: ")


def test_a_boost_that_is_no_number_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="'x' is no boost"):
        parse_hotwords("Kinshasa:x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Kinshasa:8,Brazzaville", {"Kinshasa": 8.0, "Brazzaville": HOTWORD_BOOST}),
        (" New York : 2.5 , ab ", {"New York": 2.5, "ab": HOTWORD_BOOST}),
        ("not:-3,", {"not": -3.0}),
    ],
)
def test_hotwords_have_boosts(text: str, expected: dict[str, float], tmp_path: Path) -> None:
    assert parse_hotwords(text) == expected
    lines = "".join(f"{word} {boost}\n" for word, boost in expected.items())
    (tmp_path / "words.txt").write_text(lines, encoding="utf-8")
    assert parse_hotwords(f"@{tmp_path / 'words.txt'}") == expected


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


# --- many files ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings, one more in a folder inside, and a broken one."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "in").mkdir()
    for path, name in zip(PATHS, ("a.wav", "b.wav", "in/a.wav"), strict=False):
        samples, rate = soundfile.read(path)
        soundfile.write(folder / name, samples, rate)
    (folder / "broken.wav").write_text("Dear Sir or Madam")
    return folder


def test_a_second_start_does_what_is_missing(tmp_path: Path, folder: Path) -> None:
    out = tmp_path / "out"
    first = run(folder, "-r", "-o", out, "-f", "all")
    assert first.returncode == 1
    assert "broken.wav" in first.stderr.splitlines()[-1]
    assert "4 recordings, 1 failed" in first.stderr
    names = {str(path.relative_to(out)) for path in out.rglob("*.*")}
    assert names == {f"{name}{format.suffix}" for name in ("a", "b", "in/a") for format in FORMATS.values()}
    (out / "b.json").unlink()
    (out / "a.txt").write_text("mine")
    second = run(folder, "-r", "-o", out, "-f", "all")
    assert "2 recordings transcribed before" in second.stderr
    assert "2 recordings, 1 failed" in second.stderr
    assert (out / "b.json").is_file()
    assert (out / "a.txt").read_text() == "mine"
    assert run(folder / "a.wav", "-o", out, "--overwrite", "-q").returncode == 0
    assert (out / "a.txt").read_text() != "mine"
    done = run(folder / "a.wav", "-o", out)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("1 recording transcribed before")


def test_processes_print_what_one_process_prints(folder: Path) -> None:
    alone, shared = run(folder, "-r", "-q", "-H"), run(folder, "-r", "-q", "-H", "--jobs", "2")
    assert alone.stdout == shared.stdout
    assert (alone.returncode, shared.returncode) == (1, 1)
    assert len(alone.stdout.splitlines()) == 4


def test_shards_of_a_manifest_are_all_of_it(tmp_path: Path, recognizer: asr.Recognizer) -> None:
    lines: dict[str, str] = {}
    for index in (1, 2):
        done = run(SAMPLES / "samples.jsonl", "--shard", f"{index}/2", "-q", "-H")
        lines |= dict(line.split("\t") for line in done.stdout.splitlines())
    assert lines == {path: recognizer.transcribe(path).text for path in PATHS}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--shard", "3/2"], "I from 1 to N"),
        (["--shard", "a"], "I from 1 to N"),
        (["-f", "txt,json"], "--output-dir"),
        (["-f", "txt,doc", "-o", "out"], "'doc' is not one of txt"),
        (["--ray", "auto", "--jobs", "2"], "leave --jobs out"),
    ],
)
def test_many_files_asked_for_unclearly(options: list[str], named: str) -> None:
    done = run(PATHS[0], *options)
    assert done.returncode == 2
    # The frame around a message of misuse breaks lines.
    assert named in " ".join(done.stderr.replace("│", " ").split())


def test_standard_input_is_not_shared() -> None:
    assert run("-", "--jobs", "2").returncode == 2
