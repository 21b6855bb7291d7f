"""``asr lm`` as a user runs it: other processes, files, exit codes."""

import gzip
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parent / "fixtures" / "lm"


def unzip(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode()


SENTENCES = unzip(FIXTURES / "ljspeech.txt.gz")
PRUNED = unzip(FIXTURES / "order3-pruned.arpa.gz").splitlines()


@pytest.fixture
def run(tmp_path):
    """A function that runs ``asr lm`` in the test's folder, with some bytes on stdin."""
    (tmp_path / "text.txt").write_text(SENTENCES, encoding="utf-8")

    def run(*arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
        root = Path(__file__).parent.parent
        environment = os.environ | {"PYTHONPATH": str(root), "COLUMNS": "100", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "asr", "lm", *map(str, arguments)]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, input=stdin, timeout=120
        )
        assert b"Traceback" not in done.stderr
        return subprocess.CompletedProcess(
            command, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    return run


def test_a_text_is_not_written_over(run, tmp_path):
    refused = run("build", "text.txt", "-o", tmp_path / "text.txt")
    assert refused.returncode == 1
    assert "is read, and would be written over" in refused.stderr
    assert (tmp_path / "text.txt").read_text(encoding="utf-8") == SENTENCES


def test_build_info_score(run, tmp_path):
    built = run("build", "text.txt", "--order", 3, "--prune", 0, 1, 1, "-o", "lm.arpa.gz")
    assert (built.returncode, built.stdout) == (0, "lm.arpa.gz\n"), built.stderr
    lines = unzip(tmp_path / "lm.arpa.gz").splitlines()
    assert [line.split("\t")[1:2] for line in lines] == [line.split("\t")[1:2] for line in PRUNED]
    assert all(f"{line.split('=')[1]} {n}-grams" in built.stderr for n, line in enumerate(PRUNED[1:4], 1))

    told = run("info", "lm.arpa.gz")
    facts = dict(line.rsplit(maxsplit=1) for line in told.stdout.splitlines())
    assert (told.returncode, facts["order"]) == (0, "3")
    assert [f"ngram {n}=" + facts[f"{n}-grams"] for n in (1, 2, 3)] == PRUNED[1:4]

    scored = run("score", "lm.arpa.gz", "text.txt")
    facts = dict(line.split("  ", 1) for line in scored.stdout.splitlines())
    assert (scored.returncode, facts["sentences"].strip(), facts["unknown words"].strip()) == (
        0,
        "150",
        "0 (0.00 %)",
    )
    assert 1 < float(facts["perplexity"]) < 900
    assert facts["perplexity"].strip() == facts["perplexity without unknown words"].strip()


@pytest.mark.parametrize(
    "arguments",
    [
        ("text.txt", "--order", 3, "-o", "lm.arpa", "--prune", 0, 1, 1),
        ("--prune", 0, 1, 1, "--order", 3, "-o", "lm.arpa", "text.txt"),
        ("--prune", 0, 1, 1, "text.txt", "-o", "lm.arpa"),
        ("text.txt", "-o", "lm.arpa", "--prune", "0,1,1"),
        ("text.txt", "-o", "lm.arpa", "--prune=0,1"),
        ("text.txt", "-o", "lm.arpa", "--prune", "0 1 1"),
    ],
)
def test_ways_to_write_prune(run, tmp_path, arguments):
    built = run("build", *arguments)
    assert built.returncode == 0, built.stderr
    header = (tmp_path / "lm.arpa").read_text(encoding="utf-8").splitlines()[1:4]
    assert header == PRUNED[1:4]


def test_texts_from_stdin_and_gzip_are_one_text(run, tmp_path):
    lines = SENTENCES.splitlines(keepends=True)
    (tmp_path / "more.txt.gz").write_bytes(gzip.compress("".join(lines[100:]).encode()))
    run("build", "text.txt", "-o", "whole.arpa")
    # Unnormalised, and with empty lines that nobody spoke.
    first = "\n\n".join(lines[:100]).upper().replace(" ", ", ").encode()
    built = run("build", "-", "more.txt.gz", "-o", "parts.arpa", stdin=first)
    assert (built.returncode, built.stdout) == (0, "parts.arpa\n")
    assert (tmp_path / "parts.arpa").read_bytes() == (tmp_path / "whole.arpa").read_bytes()


def test_packed_and_arpa_score_alike_and_sentences_are_shown(run):
    run("build", "text.txt", "-o", "lm.arpa")
    run("build", "text.txt", "-o", "lm.bin")
    text = b"The press, Xyzzy!\nin the\n"
    outputs = [run("score", model, "-", "--sentences", stdin=text).stdout for model in ("lm.arpa", "lm.bin")]
    assert outputs[0] == outputs[1]
    rows = [line.split("\t") for line in outputs[0].splitlines()[:2]]
    assert [row[1:] for row in rows] == [["1", "the press xyzzy"], ["0", "in the"]]
    facts = dict(line.split("  ", 1) for line in outputs[0].splitlines()[2:])
    total = sum(float(row[0]) for row in rows)
    assert float(facts["log10"]) == pytest.approx(total, abs=2e-4)
    assert facts["unknown words"].strip() == "1 (20.00 %)"
    assert float(facts["perplexity"]) == pytest.approx(10 ** (-total / 7), rel=1e-3)


def test_raw_takes_words_as_they_are(run, tmp_path):
    (tmp_path / "raw.txt").write_text("A b, c d-e A\u00a0f\n\nb, b,\n" * 3, encoding="utf-8")
    built = run("build", "raw.txt", "--raw", "--discount-fallback", "--order", 2, "-o", "lm.arpa")
    assert built.returncode == 0, built.stderr
    words = [
        line.split("\t")[1] for line in (tmp_path / "lm.arpa").read_text(encoding="utf-8").splitlines()[5:13]
    ]
    assert words == ["<unk>", "<s>", "</s>", "A", "b,", "c", "d-e", "A\u00a0f"]
    assert "<s> </s>" in (tmp_path / "lm.arpa").read_text(encoding="utf-8")


def facts_of(printed: str) -> dict[str, str]:
    return {key: value.strip() for key, value in (line.split("  ", 1) for line in printed.splitlines())}


def test_a_model_of_characters(run, tmp_path):
    built = run("build", "--characters", "text.txt", "-o", "chars.arpa.gz")
    assert (built.returncode, built.stdout) == (0, "chars.arpa.gz\n"), built.stderr
    lines = unzip(tmp_path / "chars.arpa.gz").splitlines()
    words = [
        line.split("\t")[1] for line in lines[lines.index("\\1-grams:") + 1 : lines.index("\\2-grams:") - 1]
    ]
    assert sorted(words) == sorted({*["<unk>", "<s>", "</s>", "<space>"], *SENTENCES} - {" ", "\n"})
    facts = facts_of(run("info", "chars.arpa.gz").stdout)
    assert (facts["words are"], facts["order"], facts["1-grams"]) == ("characters", "6", str(len(words)))

    scored = run("score", "chars.arpa.gz", "-", "--sentences", stdin="The é, press\nin\n".encode())
    rows = [line.split("\t") for line in scored.stdout.splitlines()[:2]]
    assert [row[1:] for row in rows] == [["1", "t h e <space> é <space> p r e s s"], ["0", "i n"]]
    facts = facts_of("\n".join(scored.stdout.splitlines()[2:]))
    assert (facts["characters"], facts["unknown characters"]) == ("13", "1 (7.69 %)")
    total = sum(float(row[0]) for row in rows)
    assert float(facts["perplexity"]) == pytest.approx(10 ** (-total / 15), rel=1e-3)
    assert float(facts["bits per character"]) == pytest.approx(-total / 15 / math.log10(2), rel=1e-3)


def test_order_and_packing_of_a_model_of_characters(run):
    run("build", "--characters", "--order", 4, "text.txt", "-o", "chars.bin")
    run("build", "--characters", "--order", 4, "text.txt", "-o", "chars.arpa")
    outputs = [run("score", model, "text.txt").stdout for model in ("chars.bin", "chars.arpa")]
    assert outputs[0] == outputs[1]
    assert facts_of(outputs[0])["unknown characters"] == "0 (0.00 %)"
    assert facts_of(run("info", "chars.bin").stdout)["order"] == "4"


def test_a_recurrent_model_is_trained_and_scored_beside_an_ngram(run, tmp_path):
    settings = ["-s", "size=8", "-s", "max_epochs=1", "-s", "cutoffs=[50, 200]"]
    trained = run("train", "text.txt", "-o", "rnnlm", "--threads", 1, *settings)
    assert (trained.returncode, trained.stdout) == (0, "rnnlm\n"), trained.stderr
    assert "dev text: 7 of the 150 sentences" in trained.stderr
    assert "epoch 1: perplexity" in trained.stderr
    weights = (tmp_path / "rnnlm" / "weights.safetensors").read_bytes()

    run("build", "text.txt", "-o", "lm.bin")
    lines = SENTENCES.splitlines()
    (tmp_path / "few.txt").write_text("\n".join([*lines[:10], "xyzzy"]), encoding="utf-8")
    alone = [facts_of(run("score", model, "few.txt").stdout) for model in ("lm.bin", "rnnlm")]
    both = facts_of(run("score", "lm.bin", "few.txt", "--with", "rnnlm", "--dev", "text.txt").stdout)
    assert alone[0]["unknown words"] == alone[1]["unknown words"] == both["unknown words, left out"]
    for name, facts in zip(("lm.bin", "rnnlm"), alone, strict=True):
        assert both[f"perplexity, {name}"] == facts["perplexity without unknown words"]
    (share,) = [float(key.split()[2]) for key in both if "interpolated" in key]
    assert 0 <= share < 0.5  # the n-gram has read all of it

    assert facts_of(run("info", "rnnlm").stdout)["network"] == "1 x 8 lstm"
    again = run("train", "text.txt", "-o", "rnnlm", "--threads", 1, *settings)
    assert "goes on after epoch 1" in again.stderr
    assert (tmp_path / "rnnlm" / "weights.safetensors").read_bytes() == weights


def test_a_recurrent_model_of_characters_is_trained_and_scored_beside_an_ngram_of_them(run, tmp_path):
    settings = ["-s", "size=16", "-s", "max_epochs=2"]
    trained = run("train", "--characters", "text.txt", "-o", "rnnlm", "--threads", 1, *settings)
    assert (trained.returncode, trained.stdout) == (0, "rnnlm\n"), trained.stderr
    assert facts_of(run("info", "rnnlm").stdout)["words are"] == "characters"

    run("build", "--characters", "text.txt", "-o", "chars.bin")
    alone = [facts_of(run("score", model, "text.txt").stdout) for model in ("chars.bin", "rnnlm")]
    assert alone[0]["characters"] == alone[1]["characters"]
    both = facts_of(run("score", "rnnlm", "text.txt", "--with", "chars.bin", "--dev", "text.txt").stdout)
    assert both["perplexity, rnnlm"] == alone[1]["perplexity without unknown characters"]
    per_character = float(alone[1]["bits per character"])
    assert 0 < per_character < math.log2(len({*"".join(SENTENCES)}))  # less than of a guess
    assert 2**per_character == pytest.approx(float(both["perplexity, rnnlm"]), rel=1e-2)

    # Beside a model of words it says its letters one after the other.
    run("build", "text.txt", "-o", "words.bin")
    mixed = facts_of(run("score", "words.bin", "text.txt", "--with", "rnnlm", "--dev", "text.txt").stdout)
    assert int(mixed["words"]) < int(alone[1]["characters"])
    assert float(mixed["perplexity, rnnlm"]) > float(mixed["perplexity, words.bin"])


def test_kenlm_binaries_are_looked_at_and_scored_as_their_arpa_files(run):
    binary, arpa = FIXTURES / "order3.trie.binary", FIXTURES / "order3.arpa.gz"
    scores = [facts_of(run("score", model, "text.txt").stdout) for model in (binary, arpa)]
    assert scores[0]["sentences"] == "150"
    assert float(scores[0].pop("log10")) == pytest.approx(float(scores[1].pop("log10")), abs=1e-3)
    assert scores[0] == scores[1]
    facts = [facts_of(run("info", model).stdout) for model in (binary, arpa)]
    shared = facts[0].keys() & facts[1].keys()
    assert {"order", "words are", "1-grams", "3-grams", "log10 of unknown words"} <= shared
    assert {key: facts[0][key] for key in shared} == {key: facts[1][key] for key in shared}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("build", "none.txt", "-o", "lm.arpa"), 1, "none.txt: the text cannot be read"),
        (("build", "text.txt", "-o", "none/lm.arpa"), 1, "its folder does not exist"),
        (("build", "text.txt", "--order", 9, "-o", "lm.arpa"), 1, "order 9 is not between 1 and 6"),
        (("build", "text.txt", "--order", 2, "--prune", 0, 1, 1, "-o", "lm.arpa"), 1, "thresholds 0 1 1"),
        (("build", "text.txt", "--prune", "many", "-o", "lm.arpa"), 2, "--prune"),
        (("build", "latin.txt", "-o", "lm.arpa"), 1, "latin.txt: line 2 is not UTF-8"),
        (("build", "short.txt", "-o", "lm.arpa"), 1, "--discount-fallback"),
        (("build", "empty.txt", "-o", "lm.arpa"), 1, "no text"),
        (("info", "text.txt"), 1, "no ARPA file"),
        (("score", "none.arpa", "text.txt"), 1, "none.arpa"),
        (("score", "lm.arpa", "text.txt", "--dev", "text.txt"), 2, "--with"),
        (("score", "lm.arpa", "text.txt", "--with", "."), 1, "no recurrent language model"),
        (("train", "empty.txt", "-o", "rnnlm"), 1, "empty.txt: there is no sentence"),
        (("train", "short.txt", "-o", "rnnlm"), 1, "short.txt: has one sentence"),
        (("train", "text.txt", "-o", "rnnlm", "-s", "sizes=8"), 1, "did you mean size"),
        (("train", "text.txt", "-o", "rnnlm", "-s", "size=["), 2, "no value of a setting"),
        (("train", "text.txt", "-o", "lm.arpa"), 1, "lm.arpa"),
        (("score", "lm.arpa", "empty.txt"), 1, "empty.txt: there is no sentence"),
    ],
)
def test_what_goes_wrong_is_one_sentence(run, tmp_path, arguments, code, message):
    (tmp_path / "latin.txt").write_bytes("un\ndéjà vu\n".encode("latin-1"))
    (tmp_path / "short.txt").write_text("a b\n")
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "lm.arpa").write_text(unzip(FIXTURES / "order2.arpa.gz"))
    before = (tmp_path / "lm.arpa").read_bytes()
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert code == 2 or len(done.stderr.splitlines()) == 1
    assert (tmp_path / "lm.arpa").read_bytes() == before
