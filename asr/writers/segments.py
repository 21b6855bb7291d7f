"""Words to subtitles: where to break them, and how to lay them out in two lines.

Breaks are chosen together, as those of a paragraph are (Knuth and Plass 1981): each has a price, low at pauses, after
punctuation and before conjunctions, and so has each subtitle, for what makes it hard to read.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from asr.types import Word

LINE_LENGTH = 42
SHORTEST, LONGEST = 1.0, 7.0
"""Seconds on screen."""
READING_SPEED = 20.0
"""Characters a second."""
LONGEST_PAUSE = 1.0
"""Seconds of silence that no subtitle lasts over."""
FREE_PAUSE = 0.5
"""Seconds of silence at which a break costs nothing."""

_SENTENCE_ENDS, _CLAUSE_ENDS = tuple(".?!…。？！।؟"), tuple(",;:，、；：،")
_QUOTES = "\"'”’»)]"
_CONJUNCTIONS = frozenset(
    (
        *("and", "but", "or", "nor", "because", "that", "which", "who", "when", "where", "while", "if"),
        *("although", "though", "until", "unless", "whether", "und", "aber", "oder", "weil", "dass", "wenn"),
        *("et", "mais", "ou", "parce", "que", "qui", "quand", "y", "pero", "porque", "cuando", "si"),
    )
)
_ONE_MORE, _LONE_WORD, _INNER_SENTENCE, _CLIPPED = 0.4, 2.0, 0.5, 2.0
"""Prices, where a break anywhere costs 1: of a subtitle, of one that is one word, of a sentence that ends inside one,
of each second that it would have to stay longer."""


def make_segments(words: Sequence[Word]) -> list[Sequence[Word]]:
    """The words of each subtitle; a word that is longer than a line has it to itself."""
    # The cheapest way to break the words before each place, and where its last subtitle begins.
    costs, begins = [0.0], [0]
    for end in range(1, len(words) + 1):
        after = _break_price(words, end)
        cost, begin = min(
            (costs[begin] + _price(words, begin, end) + after, begin) for begin in _begins(words, end)
        )
        costs.append(cost)
        begins.append(begin)
    segments: list[Sequence[Word]] = []
    end = len(words)
    while end:
        segments.append(words[begins[end] : end])
        end = begins[end]
    return segments[::-1]


def lines(words: Sequence[Word]) -> list[str]:
    """The subtitle in as few lines as hold it, broken where it is best, the upper one rather the shorter."""
    text = _text(words)
    if len(text) <= LINE_LENGTH or len(words) == 1:
        return [text]
    halves = [(_text(words[:n]), _text(words[n:]), n) for n in range(1, len(words))]
    fitting = [half for half in halves if max(len(half[0]), len(half[1])) <= LINE_LENGTH]
    upper, lower, _ = min(
        fitting or halves,
        key=lambda half: (
            _break_price(words, half[2])
            + abs(len(half[0]) - len(half[1])) / LINE_LENGTH
            + (len(half[0]) > len(half[1])) / 10
        ),
    )
    return [upper, lower]


def shown(segments: Sequence[Sequence[Word]]) -> Iterator[tuple[float, float, Sequence[Word]]]:
    """When each subtitle comes and goes: it stays for those who read slowly, until the next one comes."""
    starts = [words[0].start for words in segments[1:]]
    for words, following in zip(segments, [*starts, float("inf")], strict=False):
        start, end = words[0].start, words[-1].end
        needed = start + max(SHORTEST, len(_text(words)) / READING_SPEED)
        until = min(max(end, needed), start + LONGEST, following)
        if until > start:  # words without a place have no time of their own
            yield start, until, words


def _begins(words: Sequence[Word], end: int) -> Iterator[int]:
    """Where a subtitle that ends there may begin, from the nearest place on."""
    for begin in range(end - 1, -1, -1):
        own = words[begin:end]
        if begin < end - 1 and (
            own[1].start - own[0].end > LONGEST_PAUSE
            or own[-1].end - own[0].start > LONGEST
            or not _fits(own)
        ):
            return
        yield begin


def _fits(words: Sequence[Word]) -> bool:
    """Whether two lines hold them, the upper one as full as it gets."""
    text = _text(words)
    if len(text) <= LINE_LENGTH:
        return True
    upper = text.rfind(" ", 0, LINE_LENGTH + 1)
    return upper > 0 and len(text) - upper - 1 <= LINE_LENGTH


def _price(words: Sequence[Word], begin: int, end: int) -> float:
    own = words[begin:end]
    until = words[end].start if end < len(words) else own[-1].end + SHORTEST
    needed = max(SHORTEST, len(_text(own)) / READING_SPEED)
    price = _ONE_MORE + _CLIPPED * max(0.0, needed - (until - own[0].start))
    price += _LONE_WORD * (len(own) == 1)
    for left, right in pairwise(own):
        price += _INNER_SENTENCE * _ends_with(left, _SENTENCE_ENDS)
        price += max(0.0, right.start - left.end - FREE_PAUSE)
    return price


def _break_price(words: Sequence[Word], place: int) -> float:
    """Of a break before the word at that place."""
    if place == len(words) or _ends_with(words[place - 1], _SENTENCE_ENDS):
        return 0.0
    price = 1.0
    if _ends_with(words[place - 1], _CLAUSE_ENDS):
        price = 0.2
    elif words[place].text.lower() in _CONJUNCTIONS:
        price = 0.5
    elif len(words[place - 1].text) <= 3:
        price = 1.3  # "of", "the": more often than not they belong to what follows
    return price * max(0.0, 1 - max(0.0, words[place].start - words[place - 1].end) / FREE_PAUSE)


def _ends_with(word: Word, marks: tuple[str, ...]) -> bool:
    return word.text.rstrip(_QUOTES).endswith(marks)


def _text(words: Sequence[Word]) -> str:
    return " ".join(word.text for word in words)
