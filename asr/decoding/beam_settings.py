"""What a beam search can be told."""

import math
from dataclasses import dataclass

from asr.errors import DecoderError

WIDEST = 65536
MOST_BONUS = 30.0
"""Nats: a factor of 10^13. Of a piece of ten letters that is 10^130, and shares must fit into a float64."""


@dataclass(frozen=True)
class BeamSettings:
    """How wide to search, and how much to believe the language model."""

    beam_width: int = 64
    """Prefixes kept at each frame."""
    alpha: float = 0.5
    """Weight of the language model's log-probabilities; 0 leaves them out, not beta and the prices of unknown words."""
    beta: float = 1.0
    """Added for each word (each character, with a model of characters); without it a language model prefers few."""
    unknown: float = -5.0
    """Added for each word that the language model does not know."""
    unknown_letter: float = -1.0
    """Added for each of its letters, whose order had to be guessed as well; else two words would be one long one."""
    lexicon: str = "open"
    """open: any word may be written; strict: only words of the language model, and hotwords."""
    max_tokens: int = 32
    """Symbols tried at each frame at most."""
    token_threshold: float = 8.0
    """Symbols further below the best one of a frame, in nats, are not tried; along a closed lexicon all are."""
    beam_threshold: float = 12.0
    """Prefixes further below the best one, in nats, are dropped."""
    times: bool = True
    """Whether to find when each word was said; without, hypotheses have a text and no words, and come sooner."""

    def __post_init__(self) -> None:
        if not 1 <= self.beam_width <= WIDEST or self.max_tokens < 1:
            raise DecoderError(f"beam_width must lie between 1 and {WIDEST}, and max_tokens be positive.")
        if self.lexicon not in ("open", "strict"):
            raise DecoderError(f"lexicon={self.lexicon!r} is not one of open, strict.")
        for name in ("alpha", "beta", "unknown", "unknown_letter"):
            if not -math.inf < getattr(self, name) <= MOST_BONUS:
                raise DecoderError(
                    f"{name}={getattr(self, name)} must be a finite number of at most {MOST_BONUS:g}."
                )
        if self.alpha < 0:
            raise DecoderError(f"alpha={self.alpha:g} must not be negative; 0 leaves the language model out.")
        if not (self.token_threshold >= 0 and self.beam_threshold >= 0):
            raise DecoderError("token_threshold and beam_threshold must not be negative.")
