"""An evaluation written and read back, and what others find in its files."""

import json
import re

import pytest
from evaluations import evaluation

from asr import scoring
from asr.errors import ManifestError
from asr.evaluation import Evaluation, Setup, summary
from asr.evaluation.folder import load, save
from asr.evaluation.text_files import aligned
from asr.evaluation.transcripts import evaluate_texts

ROWS = [
    ("the cat sat down", "a the cats sat"),
    ("one two", "one two"),
    ("", "uh"),
    ("so it goes", ""),
]
SETUP = Setup("test.jsonl", "runs/mine", "beam of 64", "NFC", "jiwer", "asr 0", "2026-11-21")


@pytest.fixture
def made() -> Evaluation:
    return evaluation(
        ROWS,
        ["ann", "bob", "ann", "bob"],
        [{"age": 7}, {"age": 8}, {}, {"age": 7, "city": ["Kin"]}],
        SETUP,
        alternatives=("the cat sat down", "one two"),
        greedy="one two",
    )


def test_what_is_written_is_read_back(made, tmp_path):
    save(tmp_path / "report", made)
    found = load(tmp_path / "report")
    assert found.setup == made.setup
    assert found.ids == made.ids == ["0", "1", "2", "3"]
    for one, other in zip(found.utterances, made.utterances, strict=True):
        names = ("reference", "hypothesis", "pairs", "characters", "heard", "alternatives", "greedy")
        assert [getattr(one, name) for name in names] == [getattr(other, name) for name in names]
        assert one.utterance.extra == {**other.utterance.extra, "id": one.utterance.extra["id"]}
        assert one.utterance.audio_filepath == other.utterance.audio_filepath
    assert summary(found) == summary(made)
    save(tmp_path / "again", found)
    for name in ("results.json", "utterances.tsv", "errs.txt", "hyp.ctm", "ref.stm", "utterances.jsonl"):
        assert (tmp_path / "again" / name).read_text() == (tmp_path / "report" / name).read_text()


def test_nothing_half_written_is_taken_for_an_evaluation(made, tmp_path):
    save(tmp_path, made)
    assert not list(tmp_path.glob("*.partial"))
    (tmp_path / "results.json").unlink()
    with pytest.raises(ManifestError, match="no evaluation"):
        load(tmp_path)
    (tmp_path / "results.json").write_text('{"setup": {"wheels": 4}}')
    with pytest.raises(ManifestError, match="damaged"):
        load(tmp_path)
    with pytest.raises(ManifestError, match="no evaluation"):
        load(tmp_path / "nowhere")


def test_results_have_rates_counts_and_both_intervals(made, tmp_path):
    found = save(tmp_path, made, by=["age"])
    assert json.loads((tmp_path / "results.json").read_text()) == json.loads(json.dumps(found))
    words = found["words"]
    assert (words["errors"], words["reference"], words["rate"]) == (7, 9, pytest.approx(7 / 9))
    assert words["interval"][0] <= words["rate"] <= words["interval"][1]
    assert len(words["interval_over_speakers"]) == 2
    assert found["sentences"]["errors"] == 3
    assert [group["label"] for group in found["groups"]["speaker"]] == ["ann", "bob"], "the worst first"
    assert [group["label"] for group in found["groups"]["age"]] == ["7", "8", "none"]
    assert found["setup"]["normalization"] == "NFC"
    assert found["worst_utterances"][:2] == ["3", "0"], "of equals the shorter"
    assert found["errors"]["words"]["substitutions"] == [[1, "cat", "cats"]]
    assert [1, "s"] in found["errors"]["characters"]["insertions"]


def test_the_errs_file_is_icefalls(made, tmp_path):
    save(tmp_path, made)
    lines = (tmp_path / "errs.txt").read_text().splitlines()
    assert lines[:2] == [
        "%WER = 77.78",
        "Errors: 2 insertions, 4 deletions, 1 substitutions, over 9 reference words (4 correct)",
    ]
    assert "0:\t(*->a) the (cat->cats) sat (down->*)" in lines
    assert "2:\t(*->uh)" in lines
    assert "3:\t(so it goes->*)" in lines
    after = lines.index("SUBSTITUTIONS: count ref -> hyp")
    assert lines[after + 1] == "1   cat -> cats"
    stats = lines[lines.index("PER-WORD STATS: word  corr tot_errs count_in_ref count_in_hyp") + 1 :]
    assert "the   1 0 1 1" in stats
    assert sum(int(line.split()[2]) for line in stats) == 7 + 1, "a substitution is an error of two words"


def test_alignments_stand_one_above_the_other_worst_first(made, tmp_path):
    assert aligned(made.utterances[0]).splitlines() == [
        "Scores: (#C #S #D #I) 2 1 1 1",
        "REF:  * the cat  sat down",
        "HYP:  a the cats sat ****",
        "Eval: I     S        D",
    ]
    save(tmp_path, made)
    text = (tmp_path / "alignments.txt").read_text()
    assert re.findall(r"id: \((\S+)\)", text) == ["3", "0", "2"]


def test_transcripts_are_sclites_and_asr_score_reads_them(made, tmp_path):
    save(tmp_path, made)
    assert (tmp_path / "hyp.trn").read_text().splitlines()[2:] == ["uh (ann-2)", "(bob-3)"]
    found = evaluate_texts(tmp_path / "ref.trn", tmp_path / "hyp.trn")
    assert found.words == made.words
    assert found.ids == ["ann-0", "bob-1", "ann-2", "bob-3"]


def test_a_speaker_is_what_sclite_takes_for_one(tmp_path):
    made = evaluation([("a", "a")] * 3, ["en_us-1", None, "0"])
    save(tmp_path, made)
    assert (tmp_path / "ref.trn").read_text().split() == ["a", "(en.us.1-0)", "a", "(1)", "a", "(0-2)"]


def test_times_are_within_the_utterance_as_sclite_wants_them(made, tmp_path):
    save(tmp_path, made)
    assert (tmp_path / "hyp.ctm").read_text().splitlines()[1] == "0 1 0.50 0.40 the 0.900"
    assert (tmp_path / "ref.stm").read_text().splitlines()[0] == "0 1 ann 0.00 2.00 the cat sat down"


def test_texts_without_times_make_no_files_of_times(made, tmp_path):
    for name in ("ref", "hyp"):
        (tmp_path / name).write_text("u1 one two\nu2 three\n")
    texts = evaluate_texts(tmp_path / "ref", tmp_path / "hyp")
    save(tmp_path / "report", made)
    save(tmp_path / "report", texts)
    written = {path.name for path in (tmp_path / "report").iterdir()}
    assert {"ref.trn", "hyp.trn"} <= written
    assert not {"ref.stm", "hyp.ctm"} & written, "those of an earlier evaluation would be taken for these"
    assert load(tmp_path / "report").words == texts.words


def test_nothing_heard_has_times_all_the_same(tmp_path):
    save(tmp_path, evaluation([("one", "")]))
    assert (tmp_path / "ref.stm").read_text() == "0 1 unknown 0.00 0.50 one\n"
    assert (tmp_path / "hyp.ctm").read_text() == ""


def test_the_table_has_a_row_an_utterance(made, tmp_path):
    save(tmp_path, made)
    header, *rows = (line.split("\t") for line in (tmp_path / "utterances.tsv").read_text().splitlines())
    assert {len(row) for row in rows} == {len(header)}
    first = dict(zip(header, rows[0], strict=True))
    assert (first["id"], first["speaker"], first["errors"], first["hypothesis"]) == (
        "0",
        "ann",
        "3",
        "a the cats sat",
    )


def test_a_folder_that_cannot_be_written_is_one_sentence(made, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ManifestError, match="cannot be written"):
        save(tmp_path / "file", made)


def test_weights_are_kept(tmp_path):
    rows = [("a b c", "x a y"), ("a b c d", "c x d y")]
    save(tmp_path, evaluation(rows, setup=Setup(weights="sclite")))
    assert load(tmp_path).words == scoring.total([scoring.count_words(*row, "sclite") for row in rows])
