from itertools import product

import numpy as np
import pytest
import torch

from asr import fit
from asr.alignment import align


def random_scores(num_frames: int, num_symbols: int, sharpness: float = 1.0) -> np.ndarray:
    values = np.random.default_rng(num_frames).normal(0, sharpness, (num_frames, num_symbols))
    return (values - np.logaddexp.reduce(values, axis=1, keepdims=True)).astype(np.float32)


def collapse(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(one for n, one in enumerate(path) if one and (n == 0 or path[n - 1] != one))


def test_the_score_is_that_of_the_likeliest_of_all_paths():
    log_probs = random_scores(6, 4)
    best: dict[tuple[int, ...], float] = {}
    for path in product(range(4), repeat=6):
        score = sum(float(log_probs[frame, symbol]) for frame, symbol in enumerate(path))
        best[collapse(path)] = max(score, best.get(collapse(path), -np.inf))
    assert len(best) > 300
    np.testing.assert_allclose(fit.scores(log_probs, list(best)), list(best.values()), rtol=1e-5)


def test_what_needs_more_frames_than_there_are_has_no_path():
    assert fit.scores(random_scores(3, 4), [[1, 2, 3], [1, 1, 2], [1, 1]]).tolist()[1] == -np.inf


def test_the_score_is_that_of_the_aligned_path():
    log_probs, labels = random_scores(40, 6), [1, 2, 2, 5, 1]
    path = np.zeros(40, int)
    for label, (start, end) in zip(labels, align(log_probs, labels), strict=True):
        path[start:end] = label
    expected = log_probs[np.arange(40), path].sum()
    assert fit.scores(log_probs, [labels])[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("labels", [[], [3], [1, 1, 4], [2, 5, 2, 2, 1, 3]])
def test_of_sharp_scores_the_likeliest_path_is_nearly_all_that_ctc_loss_adds_up(labels):
    log_probs = random_scores(30, 6, sharpness=60.0)
    loss = torch.nn.functional.ctc_loss(
        torch.from_numpy(log_probs).double()[:, None],
        torch.tensor([labels], dtype=torch.long),
        torch.tensor([30]),
        torch.tensor([len(labels)]),
        reduction="sum",
    )
    found = fit.scores(log_probs, [labels])[0]
    assert found <= -float(loss) + 1e-3
    assert found == pytest.approx(-float(loss), rel=1e-3)
