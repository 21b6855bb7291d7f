"""An evaluation in the formats that others read: errors as icefall writes them, sclite's trn, stm and ctm, a table."""

from collections import Counter
from collections.abc import Iterator, Sequence

from asr.evaluation.diagnosis import worst_first
from asr.evaluation.scored import Evaluation, Scored
from asr.scoring import Pair
from asr.scoring.tally import most_common, tally
from asr.types import Transcript
from asr.writers import FORMATS

NOTHING = "*"
"""What stands for the word that is not there."""


def errs(evaluation: Evaluation) -> str:
    """icefall's errs file: every alignment, then confusions, deletions, insertions, and every word's counts."""
    words = evaluation.words
    found = tally(scored.pairs for scored in evaluation.utterances)
    confusions: Counter[str] = Counter(
        {f"{said} -> {heard}": times for (said, heard), times in found.substitutions.items()}
    )
    details = [
        f"{name}:\t{_combined(scored.pairs)}"
        for name, scored in zip(evaluation.ids, evaluation.utterances, strict=True)
    ]
    stats = [f"{one.word}   {one.hits} {one.errors} {one.said} {one.heard}" for one in found.words]
    lines = [
        f"%WER = {100 * words.rate:.2f}",
        f"Errors: {words.insertions} insertions, {words.deletions} deletions, {words.substitutions} substitutions, "
        f"over {words.num_reference} reference words ({words.hits} correct)",
        "Search below for sections starting with PER-UTT DETAILS:, SUBSTITUTIONS:, DELETIONS:, INSERTIONS:, "
        "PER-WORD STATS:",
        *("", "PER-UTT DETAILS: corr or (ref->hyp)  ", *details),
        *("", "SUBSTITUTIONS: count ref -> hyp", *_rows(confusions)),
        *("", "DELETIONS: count ref", *_rows(found.deletions)),
        *("", "INSERTIONS: count hyp", *_rows(found.insertions)),
        *("", "PER-WORD STATS: word  corr tot_errs count_in_ref count_in_hyp", *stats),
    ]
    return "\n".join(lines) + "\n"


def alignments(evaluation: Evaluation) -> str:
    """Every utterance with an error, worst first, as sclite's pra file shows it."""
    return "\n".join(
        f"id: ({evaluation.ids[place]})\n{aligned(evaluation.utterances[place])}\n"
        for place in worst_first(evaluation)
        if evaluation.utterances[place].words.errors
    )


def aligned(scored: Scored) -> str:
    """Four lines: the counts, REF and HYP one above the other, and S, D or I below each wrong word."""
    columns = [
        (said or NOTHING * len(heard or ""), heard or NOTHING * len(said or ""), kind(said, heard))
        for said, heard in scored.pairs
    ]
    widths = [max(map(len, column)) for column in columns]
    rows = [
        " ".join(column[row].ljust(width) for column, width in zip(columns, widths, strict=True))
        for row in range(3)
    ]
    words = scored.words
    scores = (words.hits, words.substitutions, words.deletions, words.insertions)
    lines = [f"Scores: (#C #S #D #I) {' '.join(map(str, scores))}"]
    lines += [f"{name:5} {row}".rstrip() for name, row in zip(("REF:", "HYP:", "Eval:"), rows, strict=True)]
    return "\n".join(lines)


def kind(said: str | None, heard: str | None) -> str:
    """S, D, I, or nothing for what is right."""
    if said is None or heard is None:
        return "I" if said is None else "D"
    return "" if said == heard else "S"


def trn(evaluation: Evaluation, texts: Sequence[str]) -> str:
    """sclite's transcripts: a line an utterance, behind it its id, which begins with the speaker (``-i spu_id``)."""
    speakers = (scored.utterance.speaker for scored in evaluation.utterances)
    rows = zip(texts, speakers, evaluation.ids, strict=True)
    return "".join(f"{text} ({_with_speaker(name, speaker)})\n".lstrip() for text, speaker, name in rows)


def _with_speaker(name: str, speaker: str | None) -> str:
    """sclite takes what stands before the first - or _ for the speaker."""
    if speaker is None:
        return name
    prefix = "".join("." if letter in "-_()" or letter.isspace() else letter for letter in speaker) + "-"
    return name if name.startswith(prefix) else prefix + name


def stm(evaluation: Evaluation) -> str:
    """References with speakers for sclite; each utterance is a file of its own, as in ``ctm``."""
    return "".join(
        f"{name} 1 {scored.utterance.speaker or 'unknown'} 0.00 {scored.utterance.duration:.2f} {scored.reference}\n"
        for name, scored in _by_id(evaluation)
    )


def ctm(evaluation: Evaluation) -> str:
    """The words heard with times in seconds from the utterance's beginning, and confidences."""
    return "".join(
        FORMATS["ctm"](name, Transcript(scored.hypothesis, scored.heard, 0.0, scored.utterance.duration))
        for name, scored in _by_id(evaluation)
    )


def tsv(evaluation: Evaluation) -> str:
    """A table for spreadsheets: a row an utterance."""
    header = "id speaker seconds words errors substitutions deletions insertions wer cer reference hypothesis failure"
    lines = [header.split()]
    for name, scored in zip(evaluation.ids, evaluation.utterances, strict=True):
        words = scored.words
        numbers = words.num_reference, words.errors, words.substitutions, words.deletions, words.insertions
        lines.append(
            [
                *(name, scored.utterance.speaker or "", f"{scored.utterance.duration:.3f}"),
                *map(str, numbers),
                *(f"{words.rate:.4f}", f"{scored.characters.rate:.4f}"),
                *(scored.reference, scored.hypothesis, scored.failure or ""),
            ]
        )
    return "".join("\t".join(" ".join(cell.split()) for cell in line) + "\n" for line in lines)


def _by_id(evaluation: Evaluation) -> list[tuple[str, Scored]]:
    """In the order that sclite demands of stm and ctm."""
    return sorted(zip(evaluation.ids, evaluation.utterances, strict=True), key=lambda row: row[0])


def _rows(counter: Counter[str]) -> Iterator[str]:
    for word, times in most_common(counter):
        yield f"{times}   {word}"


def _combined(pairs: Sequence[Pair]) -> str:
    """Right words as they are, neighbouring errors as one: ``the (cat sat->cats) down``."""
    shown: list[str] = []
    said: list[str] = []
    heard: list[str] = []
    for one, other in [*pairs, ("", "")]:
        if one == other:
            if said or heard:
                shown.append(f"({' '.join(said) or NOTHING}->{' '.join(heard) or NOTHING})")
            shown += [one] if one else []
            said, heard = [], []
        else:
            said += [one] if one is not None else []
            heard += [other] if other is not None else []
    return " ".join(shown)
