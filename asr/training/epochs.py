"""The weights of single epochs, kept to be averaged at the end of a training."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from asr.training.files import written_beside

_RANKS = {
    "last": lambda row: -row["epoch"],
    # As the best model is chosen: a tie in WER goes to CER, and then to the later epoch.
    "best": lambda row: (row["dev_wer"], row["dev_cer"], -row["epoch"]),
}


def choose(history: Sequence[Mapping[str, float]], count: int, which: str) -> list[int]:
    """The epochs to average, in their order: the ``last`` ones or the ``best``."""
    return sorted(int(row["epoch"]) for row in sorted(history, key=_RANKS[which])[:count])


def keep(folder: Path, module: nn.Module, chosen: Sequence[int], epoch: int) -> None:
    """Write the weights of an epoch if it is chosen, and remove those of epochs that no longer are.

    What is not chosen now is never chosen later, so that a run killed in between goes on as well.
    """
    if epoch in chosen:
        with written_beside(_path(folder, epoch)) as path:
            save_file({name: tensor.cpu().contiguous() for name, tensor in module.state_dict().items()}, path)
    wanted = {_path(folder, number) for number in chosen}
    for path in set(folder.glob("*.safetensors")) - wanted:
        path.unlink()


def mean(folder: Path, chosen: Sequence[int]) -> dict[str, Tensor]:
    """The mean of the epochs' weights, added in float64."""
    total: dict[str, Tensor] = {}
    for epoch in chosen:
        for name, tensor in load_file(_path(folder, epoch)).items():
            total[name] = total.get(name, torch.zeros_like(tensor, dtype=torch.float64)) + tensor
    return {name: (tensor / len(chosen)).float() for name, tensor in total.items()}


def _path(folder: Path, epoch: int) -> Path:
    return folder / f"{epoch:05d}.safetensors"
