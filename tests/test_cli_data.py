import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from asr.manifest import read_manifest


@pytest.fixture
def run(tmp_path):
    """A function that runs ``asr data`` in the test's folder, as a user would."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        root = Path(__file__).parent.parent
        environment = os.environ | {"PYTHONPATH": str(root), "COLUMNS": "100", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "asr", "data", *map(str, arguments)]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
        )

    return run


@pytest.fixture
def corpus(write_audio, tmp_path):
    """Six speakers with two recordings each, no two of equal length."""
    for speaker in range(6):
        for number in range(2):
            path = write_audio(f"corpus/s{speaker}/{number}.wav", 0.6 + speaker / 10 + number / 100)
            path.with_suffix(".txt").write_text(f"text {['one', 'two'][number]}")
    return tmp_path / "corpus"


def test_from_a_folder_to_three_checked_splits(run, corpus, tmp_path):
    built = run("build", "corpus", "--speaker-from", "folder", "-o", "all.jsonl")
    assert (built.returncode, built.stdout) == (0, "all.jsonl\n")
    assert "12" in built.stderr
    assert "Traceback" not in built.stderr
    divided = run("split", "all.jsonl", "--dev", "0.2", "--test", "0.2", "-o", "splits")
    assert (divided.returncode, divided.stdout) == (
        0,
        "splits/train.jsonl\nsplits/dev.jsonl\nsplits/test.jsonl\n",
    )
    parts = [read_manifest(tmp_path / line) for line in divided.stdout.split()]
    assert sum(map(len, parts)) == 12
    checked = run("check", *divided.stdout.split())
    assert checked.returncode == 0, checked.stderr
    assert "without --recipe or -m" in checked.stderr
    warnings = checked.stdout.splitlines()
    assert len(warnings) == 3  # the two sentences repeat in each pair of splits, by design
    assert all("in 2 of 2 utterances" in line or "in 4 of 4 utterances" in line for line in warnings)


def test_build_leaves_bad_items_out_and_exits_1(run, corpus, tmp_path):
    (corpus / "s0" / "0.txt").unlink()
    (corpus / "s1" / "1.wav").write_text("no audio")
    built = run("build", "corpus", "-o", "all.jsonl")
    assert (built.returncode, built.stdout) == (1, "all.jsonl\n")
    assert len(read_manifest(tmp_path / "all.jsonl")) == 10
    lines = built.stderr.splitlines()
    assert any(line.startswith("corpus/s0/0.wav: it has no text; write 0.txt") for line in lines)
    assert any(line.startswith("corpus/s1/1.wav: text, not audio") for line in lines)
    assert "2 bad items left out" in lines[-1]
    assert "Traceback" not in built.stderr


def test_build_writes_nothing_when_nothing_is_good(run, corpus, tmp_path):
    for path in corpus.rglob("*.txt"):
        path.write_text("")
    built = run("build", "corpus", "-o", "all.jsonl")
    assert (built.returncode, built.stdout) == (1, "")
    assert "none of its utterances can be used" in built.stderr
    assert not (tmp_path / "all.jsonl").exists()


def test_build_goes_on_without_a_name_that_is_not_utf8(run, corpus, tmp_path):
    for suffix in (".wav", ".txt"):
        (corpus / "s0" / f"0{suffix}").rename(corpus / "s0" / os.fsdecode(b"caf\xe9" + suffix.encode()))
    built = run("build", "corpus", "-o", "all.jsonl")
    assert built.returncode == 1
    assert "corpus/s0/caf\\udce9.wav: its name, or its folder's, is not UTF-8" in built.stderr
    assert "1 bad item left out of all.jsonl" in built.stderr
    assert len(read_manifest(tmp_path / "all.jsonl")) == 11


def test_check_names_line_utterance_and_remedy(run, corpus, tmp_path):
    run("build", "corpus", "--speaker-from", "folder", "-o", "all.jsonl")
    lines = (tmp_path / "all.jsonl").read_text().splitlines()
    wrong = json.loads(lines[2]) | {"duration": 9.0}
    (tmp_path / "all.jsonl").write_text("\n".join([lines[0], "", lines[1], json.dumps(wrong)]))
    checked = run("check", "all.jsonl")
    path = corpus / "s1" / "0.wav"
    assert checked.returncode == 1
    assert checked.stdout.startswith(
        f"all.jsonl:4: {path}: the manifest states 9.00 s, the file has 0.70 s; correct"
    )
    assert len(checked.stdout.splitlines()) == 1
    assert "duration" in checked.stderr
    assert "Traceback" not in checked.stderr


def test_check_names_every_broken_line_and_checks_the_others(run, corpus, tmp_path):
    run("build", "corpus", "-o", "all.jsonl")
    good = (tmp_path / "all.jsonl").read_text().splitlines()
    wrong = json.dumps(json.loads(good[1]) | {"duration": 9.0})
    (tmp_path / "all.jsonl").write_text("\n".join([good[0], "{oops", wrong, '{"text": "a"}', *["[]"] * 30]))
    checked = run("check", "all.jsonl")
    assert checked.returncode == 1
    lines = checked.stdout.splitlines()
    assert [line.partition(": ")[0] for line in lines[:20]] == [f"all.jsonl:{n}" for n in (2, *range(4, 23))]
    assert lines[0] == (
        "all.jsonl:2: not a JSON object (Expecting property name enclosed in double quotes); one utterance a line."
    )
    assert len(lines) == 21
    assert lines[20].startswith("all.jsonl:3: ")
    assert "the manifest states 9.00 s" in lines[20]
    assert "asr: and 12 more lines like that.\n" in checked.stderr
    assert [row.split() for row in checked.stderr.splitlines() if " line " in row] == [
        ["error", "line", "32"]
    ]


def test_a_manifest_of_broken_lines_alone_is_no_success(run, corpus, tmp_path):
    (tmp_path / "all.jsonl").write_text("{oops\n")
    checked = run("check", "all.jsonl")
    assert (checked.returncode, len(checked.stdout.splitlines())) == (1, 1)
    assert "no defect" not in checked.stderr


def test_check_with_a_recipe_knows_its_stride(run, write_audio, tmp_path):
    path = write_audio("a.wav", 0.2, rate=8000)
    line = {"audio_filepath": str(path), "duration": 0.2, "text": "aabbccddeeff"}
    (tmp_path / "m.jsonl").write_text(json.dumps(line))
    checked = run("check", "m.jsonl", "--recipe", "fsdd")
    assert checked.returncode == 1
    assert "its text needs 18 frames of output" in checked.stdout
    assert "without --recipe" not in checked.stderr


def test_check_with_a_recipe_or_model_that_is_not_there(run, write_audio, tmp_path):
    line = {"audio_filepath": str(write_audio("a.wav")), "duration": 1.0, "text": "hello"}
    (tmp_path / "m.jsonl").write_text(json.dumps(line))
    for option, name in (("--recipe", "nosuch"), ("-m", "nosuch")):
        checked = run("check", "m.jsonl", option, name)
        assert checked.returncode == 1
        assert checked.stderr.startswith("asr: ")
        assert "nosuch" in checked.stderr
        assert "Traceback" not in checked.stderr
    assert run("check", "m.jsonl", "--recipe", "a", "-m", "b").returncode == 2


def test_check_with_a_model_uses_its_vocabulary(run, write_audio, tmp_path):
    from asr import checkpoint
    from asr.settings import RecognizerSettings, save_yaml
    from asr.text import Vocabulary

    line = {"audio_filepath": str(write_audio("a.wav")), "duration": 1.0, "text": "hello"}
    (tmp_path / "m.jsonl").write_text(json.dumps(line))
    model = tmp_path / "model"
    model.mkdir()
    save_yaml(RecognizerSettings(), model / checkpoint.CONFIG, format_version=checkpoint.FORMAT_VERSION)
    Vocabulary.build(["help"]).save(model / checkpoint.VOCABULARY)
    (model / checkpoint.WEIGHTS).write_bytes(b"")  # check never loads them
    checked = run("check", "m.jsonl", "-m", "model")
    assert checked.returncode == 1
    assert "no symbol is known for 'o' (U+006F)" in checked.stdout


def test_split_refuses_to_overwrite_without_force(run, corpus, tmp_path):
    run("build", "corpus", "--speaker-from", "folder", "-o", "all.jsonl")
    assert run("split", "all.jsonl").returncode == 0
    before = (tmp_path / "train.jsonl").read_text()
    refused = run("split", "all.jsonl", "--seed", "5")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "give --force" in refused.stderr
    assert (tmp_path / "train.jsonl").read_text() == before
    assert run("split", "all.jsonl", "--seed", "5", "--force").returncode == 0


def test_misuse_exits_2_and_errors_are_one_sentence(run, corpus):
    assert run("build", "corpus").returncode == 2
    assert run("split", "all.jsonl", "--by", "colour").returncode == 2
    missing = run("split", "all.jsonl")
    assert missing.returncode == 1
    remedy = "`asr data build` makes one, or, of a recipe's corpus, its prepare.py."
    assert missing.stderr == f"asr: all.jsonl: no such manifest; {remedy}\n"


@pytest.mark.parametrize("command", ["build", "check", "split"])
def test_help_has_examples(run, command):
    shown = run(command, "--help")
    assert shown.returncode == 0
    assert f"asr data {command} " in shown.stdout
