"""The words of a recurrent language model, the most frequent first; ``words.txt``: a word, a tab, its count."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from asr.errors import LanguageModelError
from asr.lm.kneser_ney import SPECIAL
from asr.lm.words import END, SPACE, UNKNOWN
from asr.recurrent_lm.settings import RecurrentLMSettings


@dataclass(frozen=True)
class LMVocabulary:
    """Words by rank; 0 is <unk>, 1 is </s>."""

    words: Sequence[str]
    counts: Sequence[float]
    """How often each is to be expected in a text like the one it was counted in."""

    @cached_property
    def ids(self) -> dict[str, int]:
        """The rank of each word."""
        return {word: rank for rank, word in enumerate(self.words)}

    def encode(self, words: Iterable[str]) -> list[int]:
        """The words of a sentence and its end."""
        return [*(self.ids.get(word, 0) for word in words), 1]

    @classmethod
    def build(cls, sentences: Iterable[Sequence[str]], settings: RecurrentLMSettings) -> "LMVocabulary":
        """The words of a text that are frequent enough; of equals those that come first in the alphabet.

        Raises:
            LanguageModelError: the text holds what means something else in a model.
        """
        counted: Counter[str] = Counter()
        num_sentences = 0
        for sentence in sentences:
            counted.update(sentence)
            num_sentences += 1
        reserved = SPECIAL if settings.unit == "characters" else (*SPECIAL, SPACE)
        if found := [word for word in reserved if word in counted]:
            raise LanguageModelError(
                f"The text holds {found[0]}, which has a meaning in the model itself; take it out."
            )
        ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
        kept = [(word, count) for word, count in ranked if count >= settings.min_count][: settings.max_words]
        rare = sum(counted.values()) - sum(count for _, count in kept)
        once = sum(count == 1 for _, count in kept)
        words, counts = zip(
            (UNKNOWN, rare + settings.unknown * once), (END, num_sentences), *kept, strict=True
        )
        return cls(words, counts)

    def text(self) -> str:
        """What ``words.txt`` holds."""
        return "".join(f"{word}\t{count:g}\n" for word, count in zip(self.words, self.counts, strict=True))

    @classmethod
    def load(cls, path: Path) -> "LMVocabulary":
        """What ``text`` wrote.

        Raises:
            LanguageModelError: the file is missing or damaged.
        """
        try:
            rows = [line.split("\t") for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
            words, counts = [word for word, _ in rows], [float(count) for _, count in rows]
        except (OSError, ValueError) as error:
            raise LanguageModelError(
                f"{path}: the words cannot be read ({error}); copy the model again, whole."
            ) from None
        if words[:2] != [UNKNOWN, END] or len(set(words)) < len(words) or not 0 <= min(counts) < 1e15:
            raise LanguageModelError(f"{path}: these are no words of a model; copy it again, whole.")
        return cls(words, counts)
