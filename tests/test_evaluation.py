"""Every utterance of a test set is scored, whatever becomes of it."""

import dataclasses

import pytest
from toys import VOCABULARY, ToneModel, random_model, write_corpus

from asr.evaluation import Evaluation, evaluate, summary
from asr.manifest import Utterance
from asr.recognizer import Recognizer
from asr.scoring import Counts
from asr.text import TextSettings

SAID = ["ab cd", "bad", "dc ab", "cd"]


@pytest.fixture(scope="module")
def utterances(tmp_path_factory) -> list[Utterance]:
    return write_corpus(tmp_path_factory.mktemp("corpus"), SAID)


@pytest.fixture(scope="module")
def listener() -> Recognizer:
    return Recognizer(ToneModel(), VOCABULARY)


def with_texts(utterances, texts) -> list[Utterance]:
    return [dataclasses.replace(u, text=text) for u, text in zip(utterances, texts, strict=True)]


def test_what_is_heard_right_has_no_errors(listener, utterances):
    evaluation = evaluate(listener, utterances)
    assert evaluation.words == Counts(hits=6)
    assert evaluation.characters == Counts(hits=5 + 3 + 5 + 2)
    assert evaluation.sentence_errors == 0
    assert [scored.hypothesis for scored in evaluation.utterances] == SAID
    assert evaluation.audio_seconds == pytest.approx(sum(u.duration for u in utterances))
    assert evaluation.seconds > 0


def test_errors_are_counted_and_added(listener, utterances):
    # One substitution, one insertion, one deletion.
    evaluation = evaluate(listener, with_texts(utterances, ["ab bad", "bad", "dc", "cd dc"]))
    assert evaluation.words == Counts(hits=4, substitutions=1, deletions=1, insertions=1)
    assert evaluation.sentence_errors == 3
    assert evaluation.interval.low < evaluation.words.rate < evaluation.interval.high


def test_references_are_written_as_the_model_writes(utterances):
    recognizer = Recognizer(ToneModel(), VOCABULARY, TextSettings(case="lower"))
    evaluation = evaluate(recognizer, with_texts(utterances, ["AB, cd!", " Bad. ", "dc-ab", "CD"]))
    assert evaluation.words.errors == 0
    assert evaluation.utterances[0].reference == "ab cd"
    kept = Recognizer(ToneModel(), VOCABULARY, TextSettings(case="keep"))
    assert evaluate(kept, with_texts(utterances, ["AB cd", "bad", "dc ab", "cd"])).words.substitutions == 1


@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_an_utterance_that_cannot_be_read_counts_as_deletions(listener, utterances, tmp_path, batch_size):
    (tmp_path / "broken.wav").write_bytes(b"no audio")
    broken = [
        Utterance(str(tmp_path / "broken.wav"), 1.0, "ab cd bad"),
        Utterance(str(tmp_path / "nowhere.wav"), 1.0, "dc"),
    ]
    mixed = [utterances[0], *broken, *utterances[1:]]
    evaluation = evaluate(listener, mixed, batch_size=batch_size)
    assert len(evaluation.utterances) == len(mixed)
    assert evaluation.words == Counts(hits=6, deletions=4)
    assert [scored.utterance for scored in evaluation.failures] == broken
    assert "broken.wav" in evaluation.failures[0].failure
    assert evaluation.sentence_errors == 2


def test_an_empty_reference_counts_what_is_heard_as_insertions(listener, utterances):
    evaluation = evaluate(listener, with_texts(utterances, ["", "bad", "dc ab", "cd"]))
    assert evaluation.words == Counts(hits=4, insertions=2)


def test_scored_text_is_the_recognizers_text_in_any_batch(utterances):
    model = random_model()
    recognizer = Recognizer(model.acoustic, model.vocabulary, model.text)
    expected = [recognizer.transcribe(utterance.audio_filepath).text for utterance in utterances]
    for batch_size in (1, 3, 16):
        evaluation = evaluate(recognizer, utterances, batch_size=batch_size)
        assert [scored.hypothesis for scored in evaluation.utterances] == expected


def test_progress_is_told_an_utterance_at_a_time(listener, utterances):
    seen: list[Utterance] = []
    evaluate(listener, utterances, on_progress=seen.append)
    assert seen == utterances


def test_the_summary_is_the_lines_everybody_quotes(listener, utterances):
    evaluation = evaluate(listener, with_texts(utterances, ["ab bad", "bad", "dc", "cd dc"]))
    lines = summary(evaluation).splitlines()
    assert lines[0] == "%WER 50.00 [ 3 / 6, 1 ins, 1 del, 1 sub ]"
    low, high = 100 * evaluation.interval.low, 100 * evaluation.interval.high
    assert lines[1] == f"95 % interval {low:.2f} to {high:.2f} (bootstrap over 4 utterances)"
    assert lines[2].startswith("%CER ")
    assert lines[3] == "%SER 75.00 [ 3 / 4 ]"
    assert len(lines) == 4


def test_an_empty_evaluation_has_a_summary():
    assert summary(Evaluation((), 0.0)).splitlines()[0] == "%WER 0.00 [ 0 / 0, 0 ins, 0 del, 0 sub ]"
