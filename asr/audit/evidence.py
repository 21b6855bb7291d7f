"""What a recording says of a text: the text against others in its place, each word against other words, each gap.

An acoustic model that is wrong in half of its letters still tells the right text from another one, as it need not
find it, only prefer it. So nothing is compared with what a decoder would write, but with rivals out of the corpus:
a difference of 5 nats says that the recording prefers the text e^5 times to the mean rival.
"""

import random
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr import fit
from asr.alignment import align
from asr.text import TextSettings, Vocabulary, normalize

TEXTS, WORDS = 40, 30
"""Rivals of a text, and of a word."""
NEAR = 60
"""Texts next in length, either way, that a text's rivals are drawn from."""
CONTEXT = 1
"""Words on either side that are aligned anew with what stands between them."""
LEAST = -1000.0
"""Nats; a text that has no path at all is not compared further."""

LogProbs = NDArray[np.float32]
Labels = list[int]


@dataclass(frozen=True)
class Evidence:
    """Natural logs of how much better the text fits than its rivals, in the mean; below 0 a rival is preferred."""

    tokens: tuple[str, ...]
    whole: float
    """The text against texts of about its length."""
    words: tuple[float, ...]
    """Each word against others of its length."""
    gaps: tuple[float, ...]
    """Before each word and behind the last: nothing against a word more."""
    needless: tuple[float, ...]
    """Each word against nothing in its place."""
    margin: float
    """The likeliest path of all against that of the text, per frame: at least 0, and more where the model is weak."""
    frames: int


class Rivals:
    """What could stand in a text's place: texts and words of the same corpus, the model's labels of each."""

    def __init__(self, texts: Sequence[str], vocabulary: Vocabulary, settings: TextSettings):
        self.vocabulary = vocabulary
        self.settings = TextSettings(settings.case, settings.punctuation, settings.keep_characters, "skip")
        written = {normalize(text, settings) for text in texts} - {""}
        self.space = [vocabulary.symbols.index(" ")] if " " in vocabulary else []
        self._texts = sorted(written, key=lambda text: (len(text), text))
        self._lengths = [len(text) for text in self._texts]
        self._words = sorted(
            (word for text in written for word in text.split()), key=lambda word: (len(word), word)
        )
        self._word_lengths = [len(word) for word in self._words]

    def tokens(self, text: str) -> list[str]:
        """The words of a text that the model can write, as it writes them."""
        return [token for token in normalize(text, self.settings).split() if self.labels([token])]

    def labels(self, tokens: Sequence[str]) -> Labels:
        """Of words with spaces between."""
        return self.vocabulary.encode(" ".join(tokens), self.settings)

    def texts(self, text: str, draw: random.Random) -> list[Labels]:
        """Of other texts of about the length."""
        place = bisect_left(self._lengths, len(text))
        near = [one for one in self._texts[max(0, place - NEAR) : place + NEAR] if one != text]
        return [self.labels([one]) for one in draw.sample(near, min(TEXTS, len(near)))]

    def text(self, draw: random.Random) -> str:
        """Any text of the corpus."""
        return draw.choice(self._texts)

    def words(self, draw: random.Random) -> list[str]:
        """Any words, as often as the corpus has them."""
        return draw.sample(self._words, min(WORDS, len(self._words)))

    def words_like(self, word: str, draw: random.Random) -> list[str]:
        """Other words of its length, give or take a letter."""
        first = bisect_left(self._word_lengths, len(word) - 1)
        last = bisect_right(self._word_lengths, len(word) + 1)
        # Where too few are so long: those next to them.
        first, last = max(0, min(first, last - WORDS)), max(last, first + WORDS)
        near = [one for one in self._words[first:last] if one != word]
        return draw.sample(near, min(WORDS, len(near)))


def weigh(log_probs: LogProbs, text: str, rivals: Rivals, draw: random.Random) -> Evidence | None:
    """What ``log_probs (time, vocab)`` say of the text; None where no path writes it: it is empty or too long."""
    tokens = rivals.tokens(text)
    labels = rivals.labels(tokens)
    spans = align(log_probs, labels)
    if not spans:
        return None
    own, *others = fit.scores(log_probs, [labels, *rivals.texts(" ".join(tokens), draw)])
    words, gaps, needless = _around(log_probs, tokens, spans, rivals, draw)
    return Evidence(
        tokens=tuple(tokens),
        whole=_against(own, others),
        words=words,
        gaps=gaps,
        needless=needless,
        margin=float(log_probs.max(axis=1).sum() - own) / len(log_probs),
        frames=len(log_probs),
    )


def _against(own: float, others: Sequence[float] | NDArray[np.float64]) -> float:
    """The log of how much likelier than the mean of the others; 0 where there are none."""
    if not len(others):
        return 0.0
    best = max(others)
    if best == -np.inf:
        return -LEAST
    mean = best + np.log(np.mean(np.exp(np.asarray(others) - best)))
    return float(np.clip(own - mean, LEAST, -LEAST))


class _Windows:
    """A text with its likeliest path, of which a few words at a time are scored anew with others in their place."""

    def __init__(
        self, log_probs: LogProbs, tokens: Sequence[str], spans: Sequence[tuple[int, int]], rivals: Rivals
    ):
        self.log_probs = log_probs
        self.tokens = tokens
        self.rivals = rivals
        self.space = rivals.space
        ends = np.cumsum([len(rivals.labels([token])) + len(self.space) for token in tokens]) - len(
            self.space
        )
        firsts = [0, *(ends[:-1] + len(self.space))]
        self.starts = [spans[first][0] for first in firsts] + [len(log_probs)]
        self.ends = [0] + [spans[end - 1][1] for end in ends]

    def scores(self, first: int, last: int, instead: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """Of words ``[first, last)`` replaced by each of the others, between the neighbours."""
        left, right = max(0, first - CONTEXT), min(len(self.tokens), last + CONTEXT)
        before, behind = self.tokens[left:first], self.tokens[last:right]
        texts = [
            self._between([*before, *words, *behind], left > 0, right < len(self.tokens)) for words in instead
        ]
        return fit.scores(self.log_probs[self.ends[left] : self.starts[right]], texts)

    def _between(self, words: Sequence[str], is_behind: bool, is_before: bool) -> Labels:
        return self.space * is_behind + self.rivals.labels(words) + self.space * is_before


def _around(
    log_probs: LogProbs,
    tokens: Sequence[str],
    spans: Sequence[tuple[int, int]],
    rivals: Rivals,
    draw: random.Random,
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    windows = _Windows(log_probs, tokens, spans, rivals)
    others = [[word] for word in rivals.words(draw)]
    words, gaps, needless = [], [], []
    for place in range(len(tokens) + 1):
        nothing, *more = windows.scores(place, place, [[], *others])
        gaps.append(_against(nothing, more))
    for place, token in enumerate(tokens):
        rest = [[word] for word in rivals.words_like(token, draw)]
        own, without, *instead = windows.scores(place, place + 1, [[token], [], *rest])
        words.append(_against(own, instead))
        needless.append(_against(own, [without]))
    return tuple(words), tuple(gaps), tuple(needless)
