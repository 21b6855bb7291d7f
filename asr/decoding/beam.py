"""CTC prefix beam search with a word n-gram, compiled (Graves 2012, section 7.5; Hannun et al. 2014).

A beam is a prefix: the labels so far, without blanks and repeats. Its probability is kept in two parts, of the
paths that end in a blank and of those that end in its last label, for only a blank lets that label come again.
Probabilities are linear and rescaled at every frame: no logarithm is taken inside the loop. What the language
model says of a prefix is kept as a logarithm and multiplied in where prefixes are compared.

    stay     with a blank, or with the last label once more: the prefix is the same
    extend   by a label: a new prefix, or one that is in the beam already and gets the sum
"""

import numba
import numpy as np

from asr.lm.lookup import advance

BLANK = 0
STAY = -1

# Columns of the beam's integers and of its floats.
NODE, LAST, PARENT, TRIE, LM_STATE, NUM_INTEGERS = range(6)
ENDS_BLANK, ENDS_LABEL, LM_SCORE, NUM_FLOATS = range(4)


@numba.njit(cache=True, nogil=True)
def search(log_probs, options, weights, lexicon, ngram, tree, num_nodes, beam, num_beams):  # type: ignore[no-untyped-def]
    """Advance a beam over ``log_probs (time, vocab)``, in place; feeding chunks is feeding them at once.

    Args:
        options: width, most tokens a frame, id of the space or -1.
        weights: alpha, beta, unknown, then the token and the beam threshold in nats.
        lexicon: children, look-ahead and word ids of the trie's nodes.
        ngram: the arrays of an ``NGram``.
        tree: parent and symbol of every prefix so far, ``num_nodes`` of them.
        beam: integers and floats of each prefix in the beam, ``num_beams`` of them; the columns are named above.

    Returns:
        The new number of prefixes in the tree and in the beam, and the log of what the rescaling took out.
    """
    width, max_tokens, space = options
    num_symbols = log_probs.shape[1]
    slot_of_child = np.full((width, num_symbols), -1, np.int32)
    size = width * (max_tokens + 1)
    candidates = (np.empty(size, np.int32), np.empty(size, np.int32), np.empty((size, 3)))
    endings = (np.empty(width), np.empty(width, np.int64))
    taken_out = 0.0
    for frame in range(len(log_probs)):
        tokens = _tokens(log_probs[frame], weights[3], max_tokens)
        probs = np.exp(log_probs[frame])
        factors = _factors(beam, num_beams, lexicon[1])
        _link(beam, num_beams, slot_of_child)
        # Stays come first: an extension into the beam finds its prefix's candidate at that prefix's own slot.
        _stay(beam, num_beams, probs, candidates)
        count = _extend(
            beam, num_beams, probs, tokens, factors, space, weights, lexicon, ngram,
            slot_of_child, candidates, endings,
        )  # fmt: skip
        _unlink(beam, num_beams, slot_of_child)
        shares = candidates[2]
        for slot in range(num_beams):
            shares[slot, 2] = (shares[slot, ENDS_BLANK] + shares[slot, ENDS_LABEL]) * factors[slot]
        kept = _best(shares[:count, 2], width, np.exp(-weights[4]))
        num_nodes, scale = _move(kept, candidates, endings, space, lexicon[0], tree, num_nodes, beam)
        num_beams = len(kept)
        taken_out += np.log(scale)
    return num_nodes, num_beams, taken_out


@numba.njit(cache=True, nogil=True)
def _link(beam, num_beams, slot_of_child):  # type: ignore[no-untyped-def]
    """Note where in the beam each prefix's extension by a label already is."""
    integers = beam[0]
    for slot in range(num_beams):
        if integers[slot, PARENT] >= 0:
            slot_of_child[integers[slot, PARENT], integers[slot, LAST]] = slot


@numba.njit(cache=True, nogil=True)
def _unlink(beam, num_beams, slot_of_child):  # type: ignore[no-untyped-def]
    """Forget it again, entry by entry: the table is large and nearly empty."""
    integers = beam[0]
    for slot in range(num_beams):
        if integers[slot, PARENT] >= 0:
            slot_of_child[integers[slot, PARENT], integers[slot, LAST]] = -1


@numba.njit(cache=True, nogil=True)
def _stay(beam, num_beams, probs, candidates):  # type: ignore[no-untyped-def]
    """A blank, or the last label once more: the prefix stays what it is."""
    integers, floats = beam
    sources, labels, shares = candidates
    for slot in range(num_beams):
        last = integers[slot, LAST]
        sources[slot], labels[slot] = slot, STAY
        shares[slot, ENDS_BLANK] = (floats[slot, ENDS_BLANK] + floats[slot, ENDS_LABEL]) * probs[BLANK]
        shares[slot, ENDS_LABEL] = floats[slot, ENDS_LABEL] * probs[last] if last > 0 else 0.0


@numba.njit(cache=True, nogil=True)
def _extend(  # type: ignore[no-untyped-def]
    beam, num_beams, probs, tokens, factors, space, weights, lexicon, ngram,
    slot_of_child, candidates, endings,
):  # fmt: skip
    """A new label: to a prefix in the beam goes the sum, else there is a candidate more. Returns their number."""
    integers, floats = beam
    sources, labels, shares = candidates
    children, lookahead, word_of = lexicon
    count = num_beams
    for slot in range(num_beams):
        trie, last = integers[slot, TRIE], integers[slot, LAST]
        whole = floats[slot, ENDS_BLANK] + floats[slot, ENDS_LABEL]
        word_ended = False
        for label in tokens:
            if label == BLANK:
                continue
            # A label after itself is a new one only behind a blank.
            extended = (floats[slot, ENDS_BLANK] if label == last else whole) * probs[label]
            child = slot_of_child[slot, label]
            if child >= 0:
                shares[child, ENDS_LABEL] += extended
                continue
            if label == space:
                if not word_ended:
                    endings[0][slot], endings[1][slot] = end_word(
                        trie, integers[slot, LM_STATE], weights[0], weights[1], weights[2], word_of, ngram
                    )
                    word_ended = True
                gain = endings[0][slot] + lookahead[0] - lookahead[trie]
            else:
                gain = lookahead[children[trie, label]] - lookahead[trie]
            score = extended * factors[slot] * np.exp(gain)
            if score > 0.0:
                sources[count], labels[count] = slot, label
                shares[count, ENDS_BLANK], shares[count, ENDS_LABEL] = 0.0, extended
                shares[count, 2] = score
                count += 1
    return count


@numba.njit(cache=True, nogil=True)
def end_word(trie, state, alpha, beta, unknown, word_of, ngram):  # type: ignore[no-untyped-def]
    """What ending a word here adds to the language model's score, and the state after it."""
    if trie == 0:
        return 0.0, state  # two spaces, or one at the beginning: no word
    word = word_of[trie]
    log_prob, after = advance(ngram[0], ngram[1], ngram[2], ngram[3], ngram[4], ngram[5], state, word)
    score = alpha * log_prob + beta
    return (score + unknown if word == 0 else score), after


@numba.njit(cache=True, nogil=True)
def whole_scores(beam, num_beams, weights, lexicon, ngram, eos):  # type: ignore[no-untyped-def]
    """The score of each prefix as a whole text: its last word ended, then the sentence (unless ``eos`` is -1)."""
    integers, floats = beam
    alpha, beta, unknown = weights[:3]
    scores = np.empty(num_beams)
    for slot in range(num_beams):
        trie, state = integers[slot, TRIE], integers[slot, LM_STATE]
        word, state = end_word(trie, state, alpha, beta, unknown, lexicon[2], ngram)
        if eos >= 0:
            ending, _ = advance(ngram[0], ngram[1], ngram[2], ngram[3], ngram[4], ngram[5], state, eos)
            word += alpha * ending
        acoustic = np.log(floats[slot, ENDS_BLANK] + floats[slot, ENDS_LABEL])
        scores[slot] = acoustic + floats[slot, LM_SCORE] + word
    return scores


@numba.njit(cache=True, nogil=True)
def _tokens(log_probs, threshold, most):  # type: ignore[no-untyped-def]
    """The labels worth trying: near enough to the best, the best of them where they are too many."""
    near = np.flatnonzero(log_probs >= log_probs.max() - threshold)
    if len(near) <= most:
        return near
    return near[np.argsort(-log_probs[near])[:most]]


@numba.njit(cache=True, nogil=True)
def _factors(beam, num_beams, lookahead):  # type: ignore[no-untyped-def]
    """The language model's opinion of each prefix, the word it is in included, relative to the best."""
    integers, floats = beam
    opinions = np.empty(num_beams)
    for slot in range(num_beams):
        opinions[slot] = floats[slot, LM_SCORE] + lookahead[integers[slot, TRIE]]
    return np.exp(opinions - opinions.max())


@numba.njit(cache=True, nogil=True)
def _best(scores, width, share):  # type: ignore[no-untyped-def]
    """The candidates to keep: at most ``width``, none below ``share`` of the best."""
    floor = scores.max() * share
    if len(scores) > width:
        floor = max(floor, np.partition(scores, len(scores) - width)[len(scores) - width])
    above = np.flatnonzero(scores > floor)
    level = np.flatnonzero(scores == floor)[: width - len(above)]
    return np.concatenate((above, level))


@numba.njit(cache=True, nogil=True)
def _move(kept, candidates, endings, space, children, tree, num_nodes, beam):  # type: ignore[no-untyped-def]
    """Make the kept candidates the beam, rescaled so that the likeliest prefix has probability 1."""
    sources, labels, shares = candidates
    integers, floats = beam
    old_integers, old_scores = integers.copy(), floats[:, LM_SCORE].copy()
    new_slot = np.full(len(integers), -1, np.int32)
    scale = 0.0
    for position, candidate in enumerate(kept):
        scale = max(scale, shares[candidate, ENDS_BLANK] + shares[candidate, ENDS_LABEL])
        if labels[candidate] == STAY:
            new_slot[sources[candidate]] = position
    for position, candidate in enumerate(kept):
        source, label = sources[candidate], labels[candidate]
        integers[position] = old_integers[source]
        floats[position, LM_SCORE] = old_scores[source]
        floats[position, ENDS_BLANK] = shares[candidate, ENDS_BLANK] / scale
        floats[position, ENDS_LABEL] = shares[candidate, ENDS_LABEL] / scale
        if label == STAY:
            parent = old_integers[source, PARENT]
            integers[position, PARENT] = new_slot[parent] if parent >= 0 else -1
            continue
        tree[0][num_nodes], tree[1][num_nodes] = old_integers[source, NODE], label
        integers[position, NODE] = num_nodes
        integers[position, LAST] = label
        integers[position, PARENT] = new_slot[source]
        num_nodes += 1
        if label == space:
            floats[position, LM_SCORE] += endings[0][source]
            integers[position, LM_STATE] = endings[1][source]
            integers[position, TRIE] = 0
        else:
            integers[position, TRIE] = children[old_integers[source, TRIE], label]
    return num_nodes, scale
