"""Files that are whole at every moment: written beside, made durable, renamed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from asr import whole_files
from asr.errors import CheckpointError


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """``whole_files.written_beside``, made durable.

    Raises:
        CheckpointError: it cannot be written; what was there before is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with whole_files.written_beside(path, durable=True) as partial:
            yield partial
    except (OSError, SafetensorError) as error:
        raise no_room(path, error) from None


def no_room(path: Path, error: Exception) -> CheckpointError:
    """What to raise where something cannot be written: most often the disk is full."""
    return CheckpointError(
        f"{path}: cannot be written ({error}); make room: the same command goes on from the last saved state."
    )
