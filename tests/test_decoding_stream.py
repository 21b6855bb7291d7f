"""Frames in chunks give what frames at once give, and what is called stable stays."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_decoding_beam import SYMBOLS, bigram, random_log_probs

from asr.decoding import BeamDecoder, BeamSettings, decode_greedy, open_stream
from asr.errors import DecoderError
from asr.lm.kenlm_binary import KenlmModel
from asr.lm.ngram import NGram

__all__ = ["bigram"]
FIXTURES = Path(__file__).parent / "fixtures" / "lm"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 25), min_size=1, max_size=6), st.integers(0, 10**6))
def test_any_chunks_give_the_same(lengths, seed):
    log_probs = random_log_probs(sum(lengths), seed).astype(np.float32)
    decoder = BeamDecoder(BeamSettings(beam_width=8), hotwords={"ab": 2.0})
    stream = decoder.stream(SYMBOLS, 0.02)
    for end, length in zip(np.cumsum(lengths), lengths, strict=True):
        stream.accept(log_probs[end - length : end])
    assert stream.finish(3) == decoder.nbest(log_probs, SYMBOLS, 0.02, 3)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.integers(0, 10**6))
def test_greedy_in_any_chunks_is_greedy_at_once(lengths, seed):
    log_probs = random_log_probs(sum(lengths), seed).astype(np.float32)
    stream, before = open_stream(decode_greedy, SYMBOLS, 0.02), ""
    for end, length in zip(np.cumsum(lengths), lengths, strict=True):
        stream.accept(log_probs[end - length : end])
        assert stream.partial.text == decode_greedy(log_probs[:end], SYMBOLS, 0.02).text
        assert stream.partial.stable == stream.partial.text
        assert stream.partial.text.startswith(before)
        before = stream.partial.text
    assert stream.finish() == [decode_greedy(log_probs, SYMBOLS, 0.02)]


def test_what_is_stable_never_changes(bigram):
    log_probs = random_log_probs(300, 5)
    log_probs[:, 0] += 2  # sure enough that beams agree on the past
    stream = BeamDecoder(BeamSettings(beam_width=8, beam_threshold=8), bigram).stream(SYMBOLS, 0.02)
    before, lengths = "", []
    for start in range(0, 300, 10):
        stream.accept(log_probs[start : start + 10])
        partial = stream.partial
        assert partial.stable == partial.text[: partial.num_stable]
        assert partial.stable.startswith(before)
        before = partial.stable
        lengths.append(len(before))
    assert 0 < lengths[10] < lengths[-1]
    final = stream.finish()[0].text
    assert final.startswith(" ".join(before.split()))


def test_a_stream_may_be_asked_and_go_on():
    log_probs = random_log_probs(40, 3)
    decoder = BeamDecoder()
    stream = decoder.stream(SYMBOLS, 0.02)
    assert stream.partial.text == ""
    assert stream.finish()[0].text == ""
    stream.accept(log_probs[:20])
    first = stream.finish()
    assert first == decoder.nbest(log_probs[:20], SYMBOLS, 0.02, 1)
    stream.accept(log_probs[20:])
    assert stream.finish() == decoder.nbest(log_probs, SYMBOLS, 0.02, 1)


def test_a_batch_is_its_rows():
    rng = np.random.default_rng(0)
    padded = rng.normal(0, 3, (5, 30, 4)).astype(np.float32)
    lengths = [30, 0, 12, 29, 1]
    decoder = BeamDecoder()
    each = [decoder(row[:length], SYMBOLS, 0.02) for row, length in zip(padded, lengths, strict=True)]
    assert decoder.batch(padded, lengths, SYMBOLS, 0.02) == each


@pytest.mark.parametrize("lengths", [[31, 2], [3], [3, 4, 5], [-1, 2]])
def test_lengths_that_do_not_fit_are_refused(lengths):
    with pytest.raises(DecoderError, match="lengths"):
        BeamDecoder().batch(np.zeros((2, 30, 4), np.float32), lengths, SYMBOLS, 0.02)


def test_a_kenlm_binary_decodes_as_its_arpa():
    arpa, binary = NGram.load(FIXTURES / "order3.arpa.gz"), KenlmModel(FIXTURES / "order3.trie.binary")
    letters = sorted({character for word in arpa.words[1:] for character in word} - set("<>/"))
    symbols = ("<blank>", " ", *letters)
    rng = np.random.default_rng(1)
    for options in (BeamSettings(), BeamSettings(lexicon="strict", alpha=1.2)):
        ours, theirs = BeamDecoder(options, arpa), BeamDecoder(options, binary)
        for _ in range(5):
            scores = rng.normal(0, 3, (40, len(symbols)))
            scores[:, 1] += 2
            one, other = (decoder(scores, symbols, 0.04) for decoder in (ours, theirs))
            assert one.text == other.text
            assert one.score == pytest.approx(other.score, abs=1e-4)
            assert one.language == pytest.approx(other.language, abs=1e-4)
