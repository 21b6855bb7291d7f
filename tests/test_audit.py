import json
import math
import random
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from toys import RATE, VOCABULARY, ToneModel, utter, write_corpus

from asr.audit import CERTAIN, audit, files, page
from asr.audit.evidence import Rivals, weigh
from asr.audit.faults import FAULTS
from asr.audit.sound import measure_sound
from asr.errors import ManifestError
from asr.manifest import Utterance
from asr.recognizer import Recognizer
from asr.text import TextSettings

WORDS = ("ab", "cd", "bad", "dc", "cab", "da")


class Soft(ToneModel):
    """Its scores flattened: sure of nothing, right in most."""

    noise = 0.0

    def _one(self, waveform: np.ndarray) -> np.ndarray:
        scores = super()._one(waveform) * 0.1
        scores += np.random.default_rng(len(waveform)).normal(0, self.noise, scores.shape)
        return (scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)).astype(np.float32)


class Unsure(Soft):
    """It writes several times what was said."""

    noise = 1.0


def texts(count: int) -> list[str]:
    draw = random.Random(3)
    return [" ".join(draw.choice(WORDS) for _ in range(draw.randint(3, 5))) for _ in range(count)]


RIVALS = Rivals(texts(40), VOCABULARY, TextSettings())


def evidence(said: str, written: str):
    log_probs = Soft().log_probs([utter(said)])[0]
    return weigh(log_probs, written, RIVALS, random.Random(1))


def test_the_right_text_is_preferred_to_its_rivals_throughout():
    found = evidence("ab cd bad", "ab cd bad")
    assert found.tokens == ("ab", "cd", "bad")
    assert found.whole > 0
    assert min(found.words) > 0
    assert min(found.gaps) > 0
    assert min(found.needless) > 0


@pytest.mark.parametrize(("written", "place"), [("dc cd bad", 0), ("ab da bad", 1), ("ab cd ab", 2)])
def test_a_word_that_is_not_said_is_named(written, place):
    words = evidence("ab cd bad", written).words
    assert int(np.argmin(words)) == place
    assert words[place] < 0


@pytest.mark.parametrize(("written", "place"), [("cd bad", 0), ("ab bad", 1), ("ab cd", 2)])
def test_a_word_that_is_missing_leaves_its_gap(written, place):
    gaps = evidence("ab cd bad", written).gaps
    assert int(np.argmin(gaps)) == place
    assert gaps[place] < 0


def test_a_word_too_many_is_better_left_out():
    needless = evidence("ab cd bad", "ab cd dc bad").needless
    assert int(np.argmin(needless)) == 2
    assert needless[2] < 0


def test_another_text_is_no_better_than_its_rivals():
    assert evidence("ab cd bad", "dc da cab").whole < 0 < evidence("ab cd bad", "ab cd bad").whole


@pytest.mark.parametrize("written", ["", "???", "zzz", "ab " * 200])
def test_what_cannot_be_written_has_no_evidence(written):
    assert evidence("ab cd", written) is None


def test_faults_change_a_third_at_most_and_leave_the_rest():
    tokens, draw = texts(1)[0].split(), random.Random(2)
    for _ in range(20):
        assert len(FAULTS["words missing"](tokens, RIVALS, draw)) in range(len(tokens) * 2 // 3, len(tokens))
        assert len(FAULTS["words added"](tokens, RIVALS, draw)) > len(tokens)
        assert len(FAULTS["other words"](tokens, RIVALS, draw)) == len(tokens)
        assert " ".join(FAULTS["another text"](tokens, RIVALS, draw)) in texts(40)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> list[Utterance]:
    return write_corpus(tmp_path_factory.mktemp("corpus"), texts(40))


def run(utterances, model=Unsure):
    return audit(utterances, [(lambda: Recognizer(model(), VOCABULARY), range(len(utterances)))])


def test_exchanged_texts_come_first_though_the_model_is_weak(corpus):
    wrong = list(corpus)
    wrong[7], wrong[31] = replace(corpus[7], text=corpus[31].text), replace(corpus[31], text=corpus[7].text)
    found = run(wrong)
    assert {one.index for one in found.verdicts[:2]} == {7, 31}
    assert found.verdicts[0].doubt > 0 > found.verdicts[20].doubt
    assert found.power["another text"] > 0.5
    assert sorted(one.index for one in found.verdicts) == list(range(40))


def test_a_missing_and_another_word_are_marked(corpus):
    tokens = [corpus[n].text.split() for n in (5, 9)]
    wrong = list(corpus)
    wrong[5] = replace(corpus[5], text=" ".join([tokens[0][0], *tokens[0][2:]]))
    other = next(word for word in WORDS if word != tokens[1][1])
    wrong[9] = replace(corpus[9], text=" ".join([tokens[1][0], other, *tokens[1][2:]]))
    found = {one.index: one for one in run(wrong, Soft).verdicts}
    assert 1 in found[5].gaps
    assert found[5].fault == "words missing"
    assert found[9].unfit == (1,)
    assert f"*{other}*" in files.marked(found[9])


def test_two_models_judge_their_parts(corpus):
    def load() -> Recognizer:
        return Recognizer(Unsure(), VOCABULARY)

    wrong = [*corpus[:38], replace(corpus[38], text=corpus[1].text), corpus[39]]
    found = audit(wrong, [(load, range(0, 40, 2)), (load, range(1, 40, 2))])
    assert sorted(one.index for one in found.verdicts) == list(range(40))
    assert found.verdicts[0].index == 38


def test_what_needs_no_model_comes_before_all_doubt(corpus, tmp_path):
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(RATE), RATE)
    bad = [
        Utterance(str(tmp_path / "missing.wav"), 1.0, "ab"),
        Utterance(str(silent), 1.0, "ab cd"),
        replace(corpus[3], text="dc ab"),
        replace(corpus[4], text=""),
    ]
    first = run([*corpus, *bad]).verdicts[:4]
    assert [one.index for one in first] == [40, 41, 42, 43]
    assert {one.fault for one in first} == {CERTAIN}
    assert all(math.isinf(one.doubt) for one in first)
    assert "silence" in first[1].remarks[0]
    assert "same audio" in first[2].remarks[0]
    assert "another text" in first[2].remarks[0]
    assert [one.is_unheard for one in first] == [True, False, False, False]


def test_overlapping_segments_are_remarked_upon(corpus):
    path, duration = corpus[0].audio_filepath, corpus[0].duration
    segments = [Utterance(path, duration - 0.2, "ab", offset=offset) for offset in (0.0, 0.2)]
    found = {one.index: one for one in run([*corpus, *segments]).verdicts}
    assert any("are in" in remark for remark in found[41].remarks)
    assert not any("are in" in remark for remark in found[40].remarks)


def test_clipped_and_noisy_recordings(tmp_path):
    speech = np.concatenate([np.zeros(RATE), utter("ab cd bad")])
    rng = np.random.default_rng(1)
    sounds = {
        "clean": speech,
        "clipped": (8 * speech).clip(-1, 1),
        "noisy": (speech + rng.normal(0, 0.2, len(speech))) / 4,
    }
    remarks = {}
    for name, samples in sounds.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE)
        sound = measure_sound(Utterance(str(tmp_path / f"{name}.wav"), 1.0, "ab"))
        remarks[name] = [remark.split()[0] for remark in sound.remarks()]
    assert remarks == {"clean": [], "clipped": ["clipped"], "noisy": ["noisy"]}


def test_too_few_utterances_are_refused(corpus):
    with pytest.raises(ManifestError, match="20 utterances at least"):
        run(corpus[:12])


def test_files_and_page(corpus, tmp_path):
    wrong = [
        replace(corpus[0], text="<dc> & dc"),
        *corpus[1:],
        Utterance(str(tmp_path / "a b.wav"), 1.0, "ab"),
    ]
    found = run(wrong)
    lines = range(2, 43)
    rows = [row.split("\t") for row in files.table(found, lines).splitlines()]
    assert {len(row) for row in rows} == {len(files.COLUMNS)}
    assert len(rows) == 42
    assert rows[1][:4] == ["1", "42", "inf", "defect"]
    entries = json.loads(files.document(found, lines, {"manifest": "m"}))["utterances"]
    assert [entry["line"] for entry in entries] == [int(row[1]) for row in rows[1:]]
    assert entries[0]["doubt"] is None
    html = page.render(found, lines, "a & b", tmp_path)
    assert "a &amp; b" in html
    assert "<dc>" not in html
    assert html.count("<li>") == 41
    assert 'src="a%20b.wav"' in html
