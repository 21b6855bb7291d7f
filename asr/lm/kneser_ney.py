"""Modified Kneser-Ney n-gram models, number for number those of KenLM's ``lmplz``.

    p(w | context) = (c - D(c)) / sum of c  +  gamma(context) * p(w | context without its first word)

where c counts occurrences for the longest n-grams and those after <s>, and distinct words before them for the
others; Chen and Goodman, "An empirical study of smoothing techniques for language modeling", 1998; Heafield et
al., "Scalable modified Kneser-Ney language model estimation", 2013. Single words are interpolated with the
uniform distribution over the vocabulary, whose share is what <unk> gets.

N-grams are sorted by their last word, then the one before it, and so on, so that all those of one suffix stand
together: sorting by (place of the suffix, first word) makes each order from the one below it.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from asr.errors import LanguageModelError
from asr.lm.arpa import MAX_ORDER, Level, Table

SPECIAL = ("<unk>", "<s>", "</s>")
_BEGIN, _END = 1, 2
FALLBACK = (0.5, 1.0, 1.5)
"""The discounts that lmplz takes under --discount_fallback."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Grams:
    """The distinct n-grams of one order; ``num`` of them."""

    at: Ints
    """(num,) the position in the text of the last word of one occurrence."""
    suffix: Ints
    """(num,) the index of the n-gram without its first word, one order below."""
    context: Ints
    """(num,) the index of the n-gram without its last word, one order below."""
    begins: NDArray[np.bool_]
    """(num,) whether the first word is <s>."""
    count: Ints
    """(num,) occurrences."""


def build(
    sentences: Iterable[Sequence[str]],
    order: int = 3,
    prune: Sequence[int] = (0,),
    discount_fallback: Sequence[float] | None = None,
) -> Table:
    """The model of some sentences, each a sequence of words without <s> and </s>; all in memory.

    A 3-gram model takes some 120 bytes and a microsecond for each word of the text.

    Args:
        sentences: read once; an empty one counts, as it does in lmplz.
        order: the number of words in the longest n-grams.
        prune: for each order, the count up to which n-grams are left out; the last holds for all further orders.
        discount_fallback: D1, D2 and D3+ for orders whose counts of counts give none, as in small texts.

    Raises:
        LanguageModelError: the text is empty, or holds <s>, </s>, <unk> or a word with a blank, or is too small
            or too regular for the discounts; or the settings make no sense.
    """
    thresholds = _thresholds(order, prune)
    words, text, places = _index(sentences)
    grams = _count(text, places, order, len(words))
    adjusted = [_left_extensions(lower, higher) for lower, higher in pairwise(grams)]
    adjusted.append(grams[-1].count)
    discounts = [
        _discounts(n, _counts_of_counts(grams, adjusted, n), discount_fallback) for n in range(1, order + 1)
    ]
    kept = [gram.count > threshold for gram, threshold in zip(grams, thresholds, strict=True)]
    kept[0][: len(SPECIAL)] = True
    # Pruned words leave gaps in the numbering.
    renumbered = (np.cumsum(kept[0]) - 1)[text]
    levels = _levels(renumbered, grams, adjusted, discounts, kept)
    return Table([words[index] for index in np.flatnonzero(kept[0]).tolist()], levels)


def _thresholds(order: int, prune: Sequence[int]) -> list[int]:
    if not 1 <= order <= MAX_ORDER:
        raise LanguageModelError(f"The order {order} is not between 1 and {MAX_ORDER}.")
    if not 1 <= len(prune) <= order or min(prune) < 0 or list(prune) != sorted(prune):
        raise LanguageModelError(
            f"The pruning thresholds {' '.join(map(str, prune))} are not 1 to {order} numbers that never fall, "
            "as an n-gram cannot stay without the shorter ones in it; give for example 0 1 1."
        )
    return [*prune, *[prune[-1]] * (order - len(prune))]


def _index(sentences: Iterable[Sequence[str]]) -> tuple[list[str], Ints, Ints]:
    """The words; the text as <s> w w ... </s> <s> ...; and for each position the one of its <s>."""
    ids = {word: index for index, word in enumerate(SPECIAL)}
    text = array("q")
    lengths: list[int] = []
    for sentence in sentences:
        text.append(_BEGIN)
        text.extend([ids.setdefault(word, len(ids)) for word in sentence])
        text.append(_END)
        lengths.append(len(sentence) + 2)
    words = np.array(text, np.int64)
    if not lengths:
        raise LanguageModelError("There is no text to build a language model from.")
    if ((words < len(SPECIAL)).sum()) != 2 * len(lengths):
        raise LanguageModelError(
            "The text holds <s>, </s> or <unk>, which mark sentences in the model itself; take them out."
        )
    broken = next((word for word in ids if len(word.encode().split()) != 1), None)
    if broken is not None:
        raise LanguageModelError(f"The word {broken!r} is empty or holds a blank; split the text into words.")
    begins = np.repeat(np.cumsum([0, *lengths[:-1]]), lengths)
    return list(ids), words, np.arange(len(words)) - begins


def _count(text: Ints, places: Ints, order: int, num_words: int) -> list[_Grams]:
    """The n-grams of each order; none reaches over the <s> of its sentence."""
    index = text.copy()  # of the n-gram that ends at each position
    count = np.bincount(text, minlength=num_words)
    count[_BEGIN] = 0  # it is never predicted
    none = np.zeros(num_words, np.int64)
    at = np.zeros(num_words, np.int64)
    at[text] = np.arange(len(text))
    grams = [_Grams(at, none, none, np.arange(num_words) == _BEGIN, count)]
    for n in range(2, order + 1):
        ends = np.flatnonzero(places >= n - 1)
        keys, inverse = np.unique(index[ends] * num_words + text[ends - n + 1], return_inverse=True)
        at = np.empty(len(keys), np.int64)
        at[inverse] = ends
        suffix, first = np.divmod(keys, num_words)
        grams.append(
            _Grams(at, suffix, index[at - 1], first == _BEGIN, np.bincount(inverse, minlength=len(keys)))
        )
        index = np.full(len(text), -1)
        index[ends] = inverse
    return grams


def _left_extensions(lower: _Grams, higher: _Grams) -> Ints:
    """The adjusted counts: in how many ways an n-gram can be preceded; after <s> nothing can, so occurrences."""
    extensions = np.bincount(higher.suffix, minlength=len(lower.count))
    return np.where(lower.begins, lower.count, extensions)


def _counts_of_counts(grams: Sequence[_Grams], adjusted: Sequence[Ints], n: int) -> Ints:
    """(5,) how many n-grams of order ``n`` have adjusted count 0, 1, 2, 3, 4."""
    counts = adjusted[n - 1]
    if n < len(grams) and not any(gram.begins[-1] for gram in grams[1 : n - 1]):
        # lmplz books the very last n-gram and its suffixes with their occurrences; in small texts it shows.
        counts = np.append(counts[:-1], grams[n - 1].count[-1])
    return np.bincount(counts[counts < 5], minlength=5)


def _discounts(n: int, number: Ints, fallback: Sequence[float] | None) -> Floats:
    """(4,) what is taken off the counts 0, 1, 2, and 3 or more: equation 26 of Chen and Goodman."""
    if number[1:4].all():
        y = number[1] / (number[1] + 2 * number[2])
        counts = np.arange(1, 4)
        discounts = counts - (counts + 1) * y * number[2:5] / number[1:4]
        if (discounts >= 0).all() and (discounts <= counts).all():
            return np.array([0, *discounts])
    if fallback is None:
        raise LanguageModelError(
            f"The text has too few or too regular {n}-grams to estimate discounts from (seen once: {number[1]}, "
            f"twice: {number[2]}, thrice: {number[3]}); give more text, or fixed discounts "
            "(--discount-fallback), which small vocabularies need."
        )
    return np.array([0, *fallback], np.float64)


def _levels(
    text: Ints,
    grams: Sequence[_Grams],
    adjusted: Sequence[Ints],
    discounts: Sequence[Floats],
    kept: Sequence[NDArray[np.bool_]],
) -> list[Level]:
    # The distribution below the single words; <s> is never predicted and takes no share.
    lower = np.full(1, 1 / (kept[0].sum() - 1))
    probabilities, backoffs = [], []
    for gram, counts, discount, keep in zip(grams, adjusted, discounts, kept, strict=True):
        gamma, total = _gamma(gram.context, counts, discount, keep, len(lower))
        taken = counts - discount[np.minimum(counts, 3)]
        probability = taken / total[gram.context] + gamma[gram.context] * lower[gram.suffix]
        backoffs.append(gamma)
        probabilities.append(probability)
        lower = probability
    probabilities[0][_BEGIN] = 1.0  # lmplz's way, so that scoring <s> costs nothing
    backoffs = [*backoffs[1:], np.ones(len(lower))]
    return [
        _level(text, n, gram.at, *rows)
        for n, (gram, *rows) in enumerate(zip(grams, probabilities, backoffs, kept, strict=True), 1)
    ]


def _gamma(
    context: Ints, counts: Ints, discount: Floats, keep: NDArray[np.bool_], num_contexts: int
) -> tuple[Floats, Floats]:
    """The mass that each context leaves to the order below, and the sum of its counts; 1 and 1 if it has none."""
    total = np.bincount(context, counts, num_contexts)
    # What is pruned gives all its count away, what stays only the discount.
    given = np.where(keep, discount[np.minimum(counts, 3)], counts)
    left = np.bincount(context, given, num_contexts)
    return np.where(total > 0, left / np.maximum(total, 1), 1.0), np.maximum(total, 1)


def _level(
    text: Ints, n: int, at: Ints, probability: Floats, backoff: Floats, keep: NDArray[np.bool_]
) -> Level:
    rows = np.flatnonzero(keep)
    # Not every single word stands in the text: <unk> does not.
    words = np.arange(len(rows))[:, None] if n == 1 else text[at[rows][:, None] + np.arange(1 - n, 1)]
    return Level(words.astype(np.int32), _log10(probability[rows]), _log10(backoff[rows]))


def _log10(values: Floats) -> NDArray[np.float32]:
    """Never above 0, which rounding may reach, nor below -99, which is how ARPA files write no probability."""
    return np.asarray(np.log10(values.clip(1e-99, 1)), np.float32)
