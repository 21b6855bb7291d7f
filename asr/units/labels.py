"""Labels: what a recording is one of, as a command or a digit; a whole text is one symbol."""

from collections.abc import Iterable, Sequence

from asr.errors import VocabularyError
from asr.text import TextSettings, Vocabulary, normalize


class Labels(Vocabulary):
    """Every text of the training set, once; id 0, the blank, is none of them."""

    @staticmethod
    def _check(symbols: Sequence[str]) -> None:
        wrong = [symbol for symbol in symbols if not symbol or symbol != " ".join(symbol.split())]
        if wrong:
            raise VocabularyError(f"The vocabulary's {wrong[0]!r} is no label.")

    @classmethod
    def build(cls, texts: Iterable[str], settings: TextSettings = TextSettings()) -> "Labels":
        """Every normalised text, sorted.

        Raises:
            VocabularyError: there are fewer than two, so nothing to tell apart.
        """
        labels = sorted({normalize(text, settings) for text in texts} - {""})
        if len(labels) < 2:
            raise VocabularyError(
                f"The training texts hold {len(labels)} label; to tell apart, give two at least."
            )
        return cls(labels)

    def unknown_in(self, text: str) -> list[str]:
        """The text, if it is no label."""
        return [text] if text and text not in self._ids else []

    def _lacking(self, text: str, unknown: Sequence[str]) -> str:
        return f"the text {text!r} is none of the labels of the training set; correct it, or remove the recording."

    def _known(self, text: str, settings: TextSettings) -> str:
        return text if text in self._ids else ""

    def _labels(self, text: str) -> list[int]:
        return [self._ids[text]] if text else []

    def _spell(self, words: Sequence[str]) -> list[list[int]]:
        text = " ".join(words)
        return [[self._ids[text]]] if text else []
