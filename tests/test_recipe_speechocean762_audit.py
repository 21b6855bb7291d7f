import runpy
from collections import Counter
from pathlib import Path

from asr.manifest import Utterance

corruption = runpy.run_path(str(Path(__file__).parents[1] / "recipes" / "speechocean762" / "corruption.py"))
SENTENCES = [f"sentence number {n} has words w{n} x{n} y{n} z{n}" for n in range(300)]


def test_two_in_a_hundred_are_made_wrong_in_three_ways_and_the_rest_is_left():
    utterances = [Utterance(f"/{n}.wav", 2.0, text) for n, text in enumerate(SENTENCES)]
    wrong, kinds = corruption["corrupt"](utterances, 1)
    assert Counter(kinds.values()) == {"replaced": 2, "deleted": 2, "exchanged": 2}
    changed = {n for n, (one, other) in enumerate(zip(utterances, wrong, strict=True)) if one != other}
    assert changed == set(kinds)
    for index, kind in kinds.items():
        before, after = (one[index].text.split() for one in (utterances, wrong))
        kept = sum(one == other for one, other in zip(before, after, strict=False))
        if kind == "exchanged":
            assert wrong[index].text in SENTENCES
        elif kind == "deleted":
            assert len(after) == len(before) - 3
        else:
            assert (len(after), kept) == (len(before), len(before) - 3)
    assert corruption["corrupt"](utterances, 1) == (wrong, kinds)
    assert corruption["corrupt"](utterances, 2)[1] != kinds
