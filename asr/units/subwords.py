"""Subwords: the pieces that byte-pair encoding finds in the training texts (Sennrich et al. 2016).

sentencepiece learns them; what is learned is the order of the pieces alone, so a model holds nothing but them, and
writing a text needs no library: of all neighbours in a word, those are joined first that make the earliest piece.
"""

import io
from collections.abc import Iterable, Sequence
from itertools import pairwise

from asr.errors import ConfigError, VocabularyError
from asr.text import UNKNOWN, TextSettings, Vocabulary, normalize

_SPACE = "▁"
"""The space in sentencepiece's pieces, and in ``vocabulary.txt``."""
_LONGEST = 1 << 20
"""Bytes of a text; sentencepiece passes over longer ones than this."""


class Subwords(Vocabulary):
    """Pieces of words; one that begins with a space begins a word, and single characters can write the rest."""

    def __init__(self, symbols: Sequence[str]):
        super().__init__(symbols)
        self._spelled: dict[str, list[int]] = {}
        """Words that were joined before."""

    @staticmethod
    def _check(symbols: Sequence[str]) -> None:
        single = {symbol for symbol in symbols if len(symbol) == 1}
        for symbol in symbols:
            if not symbol or " " in symbol[1:] or not set(symbol) <= single:
                raise VocabularyError(
                    f"The vocabulary's {symbol!r} is no piece of a word that its single characters can write."
                )

    @classmethod
    def build(cls, texts: Iterable[str], settings: TextSettings = TextSettings()) -> "Subwords":
        """``settings.num_subwords`` units, the blank among them, of normalised texts.

        Raises:
            VocabularyError: the texts hold too few words for so many, or more characters.
            ConfigError: sentencepiece is not installed.
        """
        written = [text for one in texts if (text := normalize(one, settings))]
        if any(_SPACE in text for text in written):
            raise VocabularyError(
                f"The training texts hold {_SPACE!r} (U+2581), which marks where subwords begin a word; remove it."
            )
        if not written:
            raise VocabularyError("The training texts hold no character to build a vocabulary from.")
        pieces = _learn(written, settings.num_subwords)
        if settings.unknown == "replace" and UNKNOWN not in pieces:
            pieces.append(UNKNOWN)
        return cls(pieces)

    def _labels(self, text: str) -> list[int]:
        return [label for labels in self._spell(text.split()) for label in labels]

    def _spell(self, words: Sequence[str]) -> list[list[int]]:
        for word in set(words) - self._spelled.keys():
            self._spelled[word] = self._joined(f" {word}")
        labels = [list(self._spelled[word]) for word in words]
        if labels and labels[0] and self.symbols[labels[0][0]] == " ":
            del labels[0][0]  # a text begins without a space
        return labels

    def _joined(self, word: str) -> list[int]:
        parts = list(word)
        while len(parts) > 1:
            ranks = [self._ids.get(left + right, len(self)) for left, right in pairwise(parts)]
            place = ranks.index(min(ranks))
            if ranks[place] == len(self):
                break
            parts[place : place + 2] = [parts[place] + parts[place + 1]]
        return [self._ids[part] for part in parts]

    @staticmethod
    def _line(symbol: str) -> str:
        return Vocabulary._line(symbol) if symbol == " " else symbol.replace(" ", _SPACE)

    @staticmethod
    def _symbol(line: str) -> str:
        begins = len(line) > 1 and line[0] == _SPACE
        return f" {line[1:]}" if begins else Vocabulary._symbol(line)


def _learn(texts: Sequence[str], count: int) -> list[str]:
    try:
        import sentencepiece
    except ImportError:
        raise ConfigError(
            "text.units=subwords needs sentencepiece to learn them; install it: pip install 'asr[subwords]'."
        ) from None
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            model_type="bpe",
            vocab_size=count,  # its unknown piece takes the place of the blank
            character_coverage=1.0,
            normalization_rule_name="identity",
            max_sentence_length=_LONGEST,
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise VocabularyError(_why_not(error, count, texts)) from None
    learned = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return [learned.id_to_piece(place).replace(_SPACE, " ") for place in range(1, len(learned))]


def _why_not(error: Exception, count: int, texts: Sequence[str]) -> str:
    characters = len(set("".join(texts)) | {" "}) + 1
    if count <= characters:
        return (
            f"text.num_subwords={count} is too few: the characters of the training texts and the blank are "
            f"{characters}; take more, or text.units=characters."
        )
    reason = str(error).rstrip().rsplit(". ", 1)[-1].rstrip(".") or "too few texts"
    return f"text.num_subwords={count} cannot be learned of the training texts ({reason}); take fewer."
