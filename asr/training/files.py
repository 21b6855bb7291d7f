"""Files that are whole at every moment: written beside, made durable, renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from asr.errors import CheckpointError


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of ``path`` when the block ends well.

    Raises:
        CheckpointError: it cannot be written; what was there before is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        # Or a power cut could leave the new name with nothing behind it.
        with open(partial, "rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except (OSError, SafetensorError) as error:
        raise no_room(path, error) from None
    finally:
        partial.unlink(missing_ok=True)


def no_room(path: Path, error: Exception) -> CheckpointError:
    """What to raise where something cannot be written: most often the disk is full."""
    return CheckpointError(
        f"{path}: cannot be written ({error}); make room: the same command goes on from the last saved state."
    )
