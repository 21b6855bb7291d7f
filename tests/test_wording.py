"""Numbers and their nouns."""

import pytest

from asr.wording import counted


@pytest.mark.parametrize(
    ("number", "noun", "expected"),
    [
        (1, "speaker", "1 speaker"),
        (0, "speaker", "0 speakers"),
        (21, "bad item", "21 bad items"),
        (1, "batch", "1 batch"),
        (2, "batch", "2 batches"),
    ],
)
def test_one_is_one_and_the_others_are_many(number, noun, expected):
    assert counted(number, noun) == expected
