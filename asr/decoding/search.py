"""One search as an object: the arrays that the compiled code works on, and what is in them at any moment."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.decoding.lexicon import ROOT
from asr.decoding.scorer import Scorer
from asr.decoding.stream import Partial
from asr.lm.words import Asked, NGramModel


class Found(NamedTuple):
    """A prefix that is left at the end, as a whole text; natural logarithms."""

    prefix: int
    score: float
    language: float
    """What language model and hotwords add to it."""


FIRST_ROOM = 32
"""Frames' worth of new prefixes to begin with."""


class Search:
    """Prefix beam search over frames that may come in chunks; the state is what the frames so far leave."""

    def __init__(self, scorer: Scorer, num_symbols: int):
        # Compiled code is loaded when somebody decodes, not when somebody imports.
        from asr.decoding import beam, prefixes

        self._kernel, self._prefixes, self._scorer = beam, prefixes, scorer
        width = scorer.options.width
        self._beam = prefixes.Beam(
            np.zeros(width, np.int32), np.zeros(width, np.int32), np.zeros(width), np.zeros(width)
        )
        self._beam.blank[0] = 1.0
        self._tree = np.empty(FIRST_ROOM * width, prefixes.PREFIX)
        model = scorer.language_model
        # What is asked keeps the states that it has met as long as the search lasts.
        self._asked: Asked | None = model.open() if model is not None and model.asks else None
        ngram = model if isinstance(model, NGramModel) and self._asked is None else None
        begin = self._asked or ngram
        state = begin.bos_state if begin is not None else 0
        self._tree[0] = (-1, prefixes.BLANK, -1, -1, 0, ROOT, state, 0, 0, 0, prefixes.NOT_ASKED, 1.0)
        self._ngram = _NO_NGRAM if ngram is None else ngram.arrays
        self._workspace = beam.make_workspace(scorer.options, num_symbols)
        self._num_nodes = self._num_beams = 1
        self._taken_out = 0.0

    def accept(self, probs: NDArray[np.float32]) -> None:
        """Go on with ``probs (time, vocab)``."""
        frame = 0
        while frame < len(probs):
            frame, self._num_nodes, self._num_beams, taken_out = self._kernel.search(
                probs,
                frame,
                self._scorer.options,
                self._scorer.spelling,
                self._scorer.lexicon,
                self._scorer.hotwords,
                self._ngram,
                self._workspace,
                self._tree,
                self._beam,
                self._num_nodes,
                self._num_beams,
            )
            self._taken_out += taken_out
            if self._num_nodes + self._scorer.options.width > len(self._tree):
                self._grow()
            elif frame < len(probs):
                self._answer()

    def found(self) -> Iterator[Found]:
        """Every prefix as if the text ended here, best first; those that may not end are left out."""
        scorer = self._scorer
        if scorer.options.asks:
            self._answer()
        model = scorer.language_model
        scores = self._prefixes.whole_scores(
            self._tree,
            self._beam,
            self._num_beams,
            scorer.options,
            scorer.lexicon,
            scorer.hotwords,
            self._ngram,
            -1 if model is None or scorer.options.asks else model.eos,
        )
        if scorer.options.asks:
            scores += self._sentence_ends()[:, None]
        for slot in np.argsort(-scores[:, 0], kind="stable").tolist():
            prefix, (total, end) = int(self._beam.node[slot]), scores[slot].tolist()
            if total > -np.inf:
                yield Found(
                    prefix, total + self._taken_out, end + self._prefixes.gains_of(self._tree, prefix)
                )

    def labels(self, prefix: int) -> list[int]:
        """What a prefix consists of."""
        labels: list[int] = self._prefixes.labels_of(self._tree, prefix).tolist()
        return labels

    def text(self, prefix: int) -> str:
        """A prefix as a whole text."""
        units = self._scorer.units
        if units.pronunciations:
            last = int(self._tree["ending_word"][prefix])
            return " ".join(
                [*(word for _, word in self._ended(prefix)), *([self._scorer.names[last]] if last else [])]
            )
        return " ".join("".join([units.symbols[label] for label in self.labels(prefix)]).split())

    def partial(self) -> Partial:
        """The prefix that is best at this moment, its last word not ended; of sounds, the words that have ended."""
        shares = self._beam.blank[: self._num_beams] + self._beam.label[: self._num_beams]
        best = int(self._nodes[shares.argmax()])
        # What all prefixes of the beam share will not change, whatever comes.
        num_stable = int(self._prefixes.num_shared(self._tree, self._nodes))
        units = self._scorer.units
        if units.pronunciations:
            ended = self._ended(best)
            stable = [word for place, word in ended if place < num_stable]
            return Partial(" ".join(word for _, word in ended), len(" ".join(stable)))
        symbols = [units.symbols[label] for label in self.labels(best)]
        return Partial("".join(symbols).lstrip(), len("".join(symbols[:num_stable]).lstrip()))

    def _ended(self, prefix: int) -> list[tuple[int, str]]:
        """Behind how many labels each word of a prefix ended, and the word."""
        labels, ended = self.labels(prefix), []
        opens = self._scorer.spelling.opens
        for place in range(len(labels) - 1, -1, -1):
            prefix = int(self._tree["parent"][prefix])
            if opens[labels[place]] and (word := int(self._tree["ending_word"][prefix])):
                ended.append((place, self._scorer.names[word]))
        return ended[::-1]

    @property
    def _nodes(self) -> NDArray[np.int32]:
        nodes: NDArray[np.int32] = self._beam.node[: self._num_beams]
        return nodes

    def _grow(self) -> None:
        """Twice the room, for which the prefixes move."""
        grown = np.empty(2 * len(self._tree) + self._scorer.options.width, self._tree.dtype)
        grown[: self._num_nodes] = self._tree[: self._num_nodes]
        self._tree = grown

    def _answer(self) -> None:
        """What ``end_word`` does, with a model that only Python can ask: about all words at once."""
        tree, options, lexicon, asked = self._tree, self._scorer.options, self._scorer.lexicon, self._asked
        assert asked is not None
        nodes = self._nodes[tree["ending"][self._nodes] == self._prefixes.NOT_ASKED]
        tree["ending"][nodes], tree["ending_state"][nodes] = 1.0, tree["state"][nodes]
        nodes = nodes[tree["word"][nodes] != 0]
        words = tree["word"][nodes]
        promises, tree["ending"][nodes] = lexicon.promise[words], 0.0
        while len(nodes):
            answers = asked.advance_all(tree["state"][nodes].tolist(), lexicon.word_of[words].tolist())
            for node, word, promise, (log_prob, state) in zip(nodes, words, promises, answers, strict=True):
                ending = np.exp(options.alpha * log_prob + lexicon.bonus[word] - promise)
                if ending > tree["ending"][node] or not tree["ending_word"][node]:
                    tree["ending"][node], tree["ending_state"][node] = ending, state
                    tree["ending_word"][node] = word
            # The next word that sounds like it, where there is one.
            alike = lexicon.alike[words]
            nodes, words, promises = nodes[alike != 0], alike[alike != 0], promises[alike != 0]

    def _sentence_ends(self) -> NDArray[np.float64]:
        asked, states = self._asked, self._tree["ending_state"][self._nodes].tolist()
        assert asked is not None
        ends = [log_prob for log_prob, _ in asked.advance_all(states, [asked.eos] * len(states))]
        return self._scorer.options.alpha * np.array(ends)


_NO_NGRAM = (
    np.zeros(1, np.uint64),
    np.zeros(1, np.int32),
    np.zeros(1, np.float32),
    np.zeros(1, np.int32),
    np.zeros(1, np.float32),
    np.full(1, -1, np.int32),
)
"""A language model to which every word is alike."""
for _array in _NO_NGRAM:
    _array.setflags(write=False)
