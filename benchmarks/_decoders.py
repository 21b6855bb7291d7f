"""Every decoder behind one signature: ``build(model, symbols, width, **settings)`` gives log_probs -> text.

Each has its own units and its own rules:

    ours              natural logarithms; ``unknown`` is added for each unknown word, ``unknown_letter`` for its letters
    pyctcdecode       alpha and beta as ours; its ``unknown`` is in log10 and multiplied by alpha
    ctc-beam-decoder  pyctcdecode written in C++: it has the same settings and shares the tuned ones
    flashlight        log10 scores, so its weight is alpha times ln 10; only words of its lexicon, each spelled with
                      a closing space, so that a sure space is appended to every utterance
    torchaudio        flashlight behind torchaudio's door, with flashlight's settings
    fast-ctc-decoder  takes probabilities; no language model
"""

import copy
import dataclasses
import importlib
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.decoding import BeamDecoder, BeamSettings
from asr.lm import arpa, kneser_ney
from asr.lm.ngram import NGram

Decode = Callable[[NDArray[np.float32]], str]
Settings = Mapping[str, Any]
NBEST, HOTWORD_BOOST = 10, 5.0


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """One 3-gram in the forms that the decoders take."""

    ngram: NGram
    path: str
    """Of the ARPA file."""

    @property
    def words(self) -> list[str]:
        """All but <unk>, <s> and </s>."""
        return list(self.ngram.words[3:])


def build_model(texts: Sequence[str], folder: Path) -> LanguageModel:
    """Modified Kneser-Ney over the words; small texts get lmplz's fallback discounts."""
    table = kneser_ney.build((text.split() for text in texts), 3, discount_fallback=kneser_ney.FALLBACK)
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".arpa", delete=False) as file:
        path = file.name
    arpa.write(path, table)
    return LanguageModel(NGram.load(path), path)


@dataclass(frozen=True)
class System:
    """A decoder with the settings it can be tuned by."""

    name: str
    build: Callable[..., Decode]
    module: str
    """What must be importable."""
    peer: str = ""
    """What installs it; empty for ours."""
    weights: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Candidates of each weight; alpha and beta in every combination, the others one after another."""
    prunings: Sequence[Settings] = ({},)
    """Combinations to choose from; the first is its default."""
    tuned_as: str = ""
    """The system whose tuned settings it takes."""
    default_pruning: bool = False
    """Whether its pruning stays the default."""

    @property
    def is_installed(self) -> bool:
        """Whether it can be imported, here and now."""
        try:
            importlib.import_module(self.module)
        except (ImportError, OSError):
            return False
        return True


def ours(
    model: LanguageModel | None,
    symbols: Sequence[str],
    width: int,
    *,
    times: bool = False,
    nbest: int = 1,
    hotwords: Sequence[str] = (),
    **settings: Any,
) -> Decode:
    options = BeamSettings(beam_width=width, times=times, **settings)
    boosts = dict.fromkeys(hotwords, HOTWORD_BOOST)
    decoder = BeamDecoder(options, model.ngram if model else None, hotwords=boosts)
    if nbest > 1:
        return lambda log_probs: decoder.nbest(log_probs, symbols, 0.04, nbest)[0].text
    return lambda log_probs: decoder(log_probs, symbols, 0.04).text


def _decode(decoder: Any, nbest: int, **options: Any) -> Decode:
    """The two have one interface; the n-best list comes with times and without the pruning of histories."""
    options["hotword_weight"] = HOTWORD_BOOST
    if nbest > 1:
        return lambda log_probs: str(decoder.decode_beams(log_probs, **options)[0][0])
    return lambda log_probs: str(decoder.decode(log_probs, **options))


@lru_cache
def _pyctcdecode_model(model: LanguageModel) -> Any:
    kenlm, pyctcdecode = importlib.import_module("kenlm"), importlib.import_module("pyctcdecode")
    return pyctcdecode.LanguageModel(kenlm.Model(model.path), model.words)


def pyctcdecode(
    model: LanguageModel | None,
    symbols: Sequence[str],
    width: int,
    *,
    alpha: float = 0.5,
    beta: float = 1.5,
    unknown: float = -10.0,
    nbest: int = 1,
    hotwords: Sequence[str] = (),
    **pruning: float,
) -> Decode:
    module = importlib.import_module("pyctcdecode")
    scorer = copy.copy(_pyctcdecode_model(model)) if model else None
    if scorer:
        scorer.reset_params(alpha=alpha, beta=beta, unk_score_offset=unknown)
    alphabet = module.Alphabet.build_alphabet(["", *symbols[1:]])
    decoder = module.BeamSearchDecoderCTC(alphabet, scorer)
    return _decode(decoder, nbest, beam_width=width, hotwords=hotwords, **pruning)


@lru_cache
def _ctc_beam_decoder(
    model: LanguageModel | None, symbols: Sequence[str], alpha: float, beta: float, unknown: float
) -> Any:
    module = importlib.import_module("ctc_beam_decoder")
    labels = ["", *symbols[1:]]
    if model is None:
        return module.BeamSearchDecoder(labels)
    weights = {"alpha": alpha, "beta": beta, "unk_score_offset": unknown}
    return module.BeamSearchDecoder(labels, kenlm_model_path=model.path, unigrams=model.words, **weights)


def ctc_beam_decoder(
    model: LanguageModel | None,
    symbols: Sequence[str],
    width: int,
    *,
    alpha: float = 0.5,
    beta: float = 1.5,
    unknown: float = -10.0,
    nbest: int = 1,
    hotwords: Sequence[str] = (),
    **pruning: float,
) -> Decode:
    decoder = _ctc_beam_decoder(model, tuple(symbols), alpha, beta, unknown)
    return _decode(decoder, nbest, beam_width=width, hotwords=hotwords, **pruning)


@lru_cache
def _flashlight_parts(model: LanguageModel, symbols: Sequence[str]) -> tuple[Any, Any, Any]:
    """Words, language model and trie, which all settings share; the trie as torchaudio builds it."""
    text = importlib.import_module("flashlight.lib.text.decoder")
    dictionary = importlib.import_module("flashlight.lib.text.dictionary")
    kenlm = importlib.import_module("flashlight.lib.text.decoder.kenlm")
    words = dictionary.Dictionary([*model.words, "<unk>"])
    scorer = kenlm.KenLM(model.path, words)
    ids = {symbol: index for index, symbol in enumerate(symbols)}
    trie, start = text.Trie(len(symbols), ids[" "]), scorer.start(False)
    for word in model.words:
        if set(word) <= ids.keys():
            index = words.get_index(word)
            trie.insert([ids[letter] for letter in word + " "], index, scorer.score(start, index)[1])
    trie.smear(text.SmearingMode.MAX)
    return words, scorer, trie


def _with_closing_space(log_probs: NDArray[np.float32], space: int) -> NDArray[np.float32]:
    last = np.full((1, log_probs.shape[1]), -30.0, np.float32)
    last[0, space] = 0.0
    return np.concatenate((log_probs, last))


def flashlight(
    model: LanguageModel,
    symbols: Sequence[str],
    width: int,
    *,
    alpha: float,
    beta: float,
    tokens: int = 0,
    threshold: float = 50.0,
    nbest: int = 1,
) -> Decode:
    text = importlib.import_module("flashlight.lib.text.decoder")
    words, scorer, trie = _flashlight_parts(model, tuple(symbols))
    space, num_symbols = symbols.index(" "), len(symbols)
    options = text.LexiconDecoderOptions(
        width, tokens or num_symbols, threshold, alpha * math.log(10), beta,
        -math.inf, 0.0, True, text.CriterionType.CTC,
    )  # fmt: skip
    decoder = text.LexiconDecoder(options, trie, scorer, space, 0, words.get_index("<unk>"), [], False)

    def decode(log_probs: NDArray[np.float32]) -> str:
        emissions = _with_closing_space(log_probs, space)
        results = decoder.decode(emissions.ctypes.data, len(emissions), num_symbols)
        texts = [" ".join(words.get_entry(i) for i in result.words if i >= 0) for result in results[:nbest]]
        return texts[0]

    return decode


@lru_cache
def _lexicon_file(model: LanguageModel, symbols: Sequence[str]) -> str:
    spelled = [word for word in model.words if set(word) <= set(symbols)]
    path = Path(model.path).with_suffix(".lexicon")
    path.write_text("".join(f"{word} {' '.join(word)} |\n" for word in spelled))
    return str(path)


def torchaudio(
    model: LanguageModel,
    symbols: Sequence[str],
    width: int,
    *,
    alpha: float,
    beta: float,
    tokens: int = 0,
    threshold: float = 50.0,
    nbest: int = 1,
) -> Decode:
    torch, module = importlib.import_module("torch"), importlib.import_module("torchaudio.models.decoder")
    space = symbols.index(" ")
    decoder = module.ctc_decoder(
        _lexicon_file(model, tuple(symbols)), ["-", *("|" if s == " " else s for s in symbols[1:])], model.path,
        nbest=nbest, beam_size=width, beam_size_token=tokens or None, beam_threshold=threshold,
        lm_weight=alpha * math.log(10), word_score=beta, log_add=True,
    )  # fmt: skip

    def decode(log_probs: NDArray[np.float32]) -> str:
        return " ".join(decoder(torch.from_numpy(_with_closing_space(log_probs, space))[None])[0][0].words)

    return decode


def fast_ctc_decoder(model: None, symbols: Sequence[str], width: int, *, cut: float) -> Decode:
    module = importlib.import_module("fast_ctc_decoder")
    alphabet = ["-", *symbols[1:]]
    return lambda probs: str(module.beam_search(probs, alphabet, width, cut)[0])


def combinations(**axes: Sequence[float]) -> list[dict[str, float]]:
    rows: list[dict[str, float]] = [{}]
    for name, values in axes.items():
        rows = [row | {name: value} for row in rows for value in values]
    return rows


ALPHAS, BETAS = (0.2, 0.4, 0.6, 0.8, 1.0), (-1.0, 0.0, 1.0, 2.0)
SYSTEMS = [
    System(
        "ours", ours, "asr",
        weights={"alpha": ALPHAS, "beta": BETAS, "unknown": (-5.0, -2.0, -8.0), "unknown_letter": (-1.0, -0.7, -1.5)},
        prunings=combinations(token_threshold=(8.0, 12, 6, 5, 4), beam_threshold=(12.0, 20, 10, 8, 7, 6)),
    ),
    System(
        "ctc-beam-decoder", ctc_beam_decoder, "ctc_beam_decoder", "ctc-beam-decoder",
        weights={"alpha": ALPHAS, "beta": BETAS, "unknown": (-10.0, -5.0, -15.0)},
        prunings=combinations(token_min_logp=(-5.0, -8.0, -4.0, -3.0), beam_prune_logp=(-10.0, -14.0, -7.0, -5.0)),
    ),
    System("pyctcdecode", pyctcdecode, "pyctcdecode", "pyctcdecode", tuned_as="ctc-beam-decoder"),
    System(
        "flashlight", flashlight, "flashlight.lib.text.decoder", "flashlight-text",
        weights={"alpha": ALPHAS, "beta": BETAS},
        prunings=combinations(tokens=(0, 16, 8, 4), threshold=(50.0, 25.0, 15.0, 10.0, 7.0)),
    ),
    System(
        "flashlight default", flashlight, "flashlight.lib.text.decoder", "flashlight-text",
        tuned_as="flashlight", default_pruning=True,
    ),
    System(
        "torchaudio", torchaudio, "torchaudio.models.decoder", "flashlight-text", tuned_as="flashlight"
    ),
]  # fmt: skip
PLAIN = dataclasses.replace(SYSTEMS[0], build=partial(ours, beta=0.0), weights={})
"""Without a language model, nothing for a word."""
RUST = System(
    "fast-ctc-decoder", fast_ctc_decoder, "fast_ctc_decoder", "fast-ctc-decoder",
    prunings=combinations(cut=(0.0, 0.001, 0.0067, 0.02)),
)  # fmt: skip
