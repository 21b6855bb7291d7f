"""What a search knows besides the sounds, made of settings, language model, hotwords and symbols."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from asr.decoding.beam_settings import BeamSettings
from asr.decoding.hotwords import Hotwords, build_hotwords
from asr.decoding.lexicon import WeightedLexicon, build_lexicon, character_lexicon, weigh
from asr.decoding.spelling import Spelling, Units
from asr.errors import DecoderError
from asr.lm.words import SPACE, UNKNOWN, WordModel

if TYPE_CHECKING:
    from asr.decoding.prefixes import Options


class Scorer(NamedTuple):
    """The same for every recording."""

    options: "Options"
    units: Units
    spelling: Spelling
    lexicon: WeightedLexicon
    hotwords: Hotwords
    language_model: WordModel | None
    names: Sequence[str]
    """Of the word at each node of the lexicon, where symbols do not spell words."""


def make_scorer(
    settings: BeamSettings, model: WordModel | None, hotwords: Mapping[str, float], units: Units
) -> Scorer:
    """For the symbols of a model.

    Raises:
        DecoderError: they cannot write a hotword, or any word of the language model.
    """
    from asr.decoding import prefixes

    options = _options(settings, model, units, bool(hotwords))
    automaton = build_hotwords(hotwords, units)
    if options.mode == prefixes.CHARACTERS:
        assert model is not None
        lexicon, names = character_lexicon(_tokens(settings, model, units)), list[str]()
    else:
        lexicon, names = _lexicon(settings, model, hotwords, units)
    reach = 1.0 if options.mode == prefixes.ALIKE else lexicon.reach
    spelling = units.spelling(reach, automaton.reach, with_spaces=options.mode == prefixes.CHARACTERS)
    return Scorer(options, units, spelling, lexicon, automaton, model, names)


def _options(settings: BeamSettings, model: WordModel | None, units: Units, has_hotwords: bool) -> "Options":
    from asr.decoding import prefixes

    mode = prefixes.WORDS
    if model is not None and model.is_characters:
        mode = prefixes.CHARACTERS
    elif model is None and settings.beta == 0 and not units.pronunciations:
        mode = prefixes.ALIKE
    return prefixes.Options(
        width=settings.beam_width,
        max_tokens=min(settings.max_tokens, len(units.symbols)),
        # The symbol that the lexicon allows may be far below one that it forbids.
        token_share=0.0 if _is_closed(settings, model, units) else math.exp(-settings.token_threshold),
        beam_share=math.exp(-settings.beam_threshold),
        space=units.symbols.index(" ") if " " in units.symbols else -1,
        mode=mode,
        alpha=settings.alpha if model is not None else 0.0,
        beta=settings.beta,
        has_hotwords=has_hotwords,
        asks=model is not None and model.asks,
    )


def _is_strict(settings: BeamSettings, model: WordModel | None) -> bool:
    return settings.lexicon == "strict" and model is not None


def _is_closed(settings: BeamSettings, model: WordModel | None, units: Units) -> bool:
    """Whether some letters or sounds lead to no word: sounds are written along a dictionary."""
    return _is_strict(settings, model) or bool(units.pronunciations)


def _lexicon(
    settings: BeamSettings, model: WordModel | None, hotwords: Mapping[str, float], units: Units
) -> tuple[WeightedLexicon, list[str]]:
    """The lexicon, and of sounds the word at each of its nodes; these are no words but those of their dictionary."""
    words = [UNKNOWN] if model is None else model.words
    log_prob = np.zeros(1, np.float32) if model is None else model.log_prob
    strict = _is_strict(settings, model)
    further = _further(words if model else None, hotwords, units, strict)
    lexicon = build_lexicon(words, log_prob, units, further)
    if model is not None and not lexicon.is_word.any():
        raise DecoderError(
            "The model's letters can write no word of the language model; is it of this language?"
        )
    prices = (settings.alpha, settings.beta, settings.unknown, settings.unknown_letter)
    if model is None:
        prices = (0.0, settings.beta, 0.0, 0.0)
    weighted = weigh(lexicon, *prices, strict=_is_closed(settings, model, units))
    if not units.pronunciations:
        return weighted, []
    all_words = [*words[1:], *further]
    return weighted, [all_words[place] if place >= 0 else "" for place in lexicon.entry]


def _further(
    words: Sequence[str] | None, hotwords: Mapping[str, float], units: Units, strict: bool
) -> list[str]:
    """Words that may be written though the language model, if any, lacks them."""
    wanted = [] if words is None else sorted({word for phrase in hotwords for word in phrase.split()})
    if not units.pronunciations:
        return wanted
    known = set(words or ())
    return [word for word in (wanted if strict else units.pronunciations) if word not in known]


def _tokens(settings: BeamSettings, model: WordModel, units: Units) -> list[int]:
    """The word of a model of characters that each letter is."""
    if settings.lexicon == "strict":
        raise DecoderError("lexicon=strict needs a language model of words, and this one is of characters.")
    if units.pronunciations:
        raise DecoderError(
            "A language model of characters cannot tell which words phones are; give one of words."
        )
    return [model.word_id(SPACE if one == " " else one) for one in units.alphabet]
