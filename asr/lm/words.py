"""The words that mean something to every language model, and sentences whose words are characters."""

from collections.abc import Iterable

UNKNOWN, BEGIN, END = "<unk>", "<s>", "</s>"
SPACE = "<space>"
"""The space, in models whose words are characters."""


def to_characters(words: Iterable[str]) -> list[str]:
    """The characters of a sentence as words of their own. Example: ["to", "me"] -> ["t", "o", "<space>", "m", "e"]"""
    return [SPACE if character == " " else character for character in " ".join(words)]
