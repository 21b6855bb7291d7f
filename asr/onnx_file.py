"""An exported model as a file: its graph, and the texts of the directory that it was exported from.

An ONNX file is a protobuf message, and the messages of two files one after the other are the message of both. So the
texts (fields of number 14: a name, a text) are appended to the graph as it is, the last of them the SHA-256 of all
before it.
"""

import hashlib
import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from asr.errors import CheckpointError
from asr.whole_files import written_beside
from asr.wording import printable

SUFFIX = ".onnx"
FORMAT_VERSION = 1
_FORMAT, _CHECKSUM = "asr.format_version", "asr.sha256"
_TEXTS = 14
_LARGEST_TEXT, DICTIONARY, _LARGEST_DICTIONARY = 1 << 20, "dictionary.txt", 1 << 24
"""Bytes; settings, symbols and a card are some kB, and what is far more is no text of a model's, but for a dictionary
of all words of a language."""


class _Field(NamedTuple):
    number: int
    start: int
    """Where its tag stands."""
    value: int
    """Where what it holds begins, if that has a length."""
    end: int


def is_exported(place: Path) -> bool:
    """Whether a model is one file that `asr export` may have written, and no directory."""
    return place.suffix == SUFFIX and place.is_file()


def has_text(path: Path) -> bool:
    """Whether a model has a file of that name; see ``read_text``."""
    return path.name in _read_texts(path.parent) if is_exported(path.parent) else path.exists()


def read_text(path: Path) -> str:
    """The text of a model's file; its directory may be an exported model, as in ``model.onnx/config.yaml``.

    Raises:
        OSError: there is no such file, or no text of that name.
        ValueError: it is no UTF-8, or far too large.
        CheckpointError: the exported model is damaged, or none of ours.
    """
    if not is_exported(path.parent):
        if not path.is_file():  # a pipe would be waited for
            raise FileNotFoundError(f"there is no file {path.name}")
        _check_size(path.stat().st_size, path.name)
        return path.read_text(encoding="utf-8")
    texts = _read_texts(path.parent)
    if path.name not in texts:
        raise FileNotFoundError(f"{path.parent.name} holds no {path.name}")
    return texts[path.name]


def read_graph(path: Path) -> bytes:
    """The graph of an exported model, which alone is shown to onnxruntime.

    Raises:
        CheckpointError: it is damaged, none of ours, or wants data from outside its file.
    """
    expected = _read_texts(path)[_CHECKSUM]
    content = path.read_bytes()
    fields = list(_fields(content))
    if hashlib.sha256(content[: fields[-1].start]).hexdigest() != expected:
        raise CheckpointError(f"{path}: damaged since it was exported; copy it again, whole.")
    graph = content[: next(field.start for field in fields if field.number == _TEXTS)]
    # The key of a tensor that lies in another file. Our own graphs have no such word.
    if b"location" in graph:
        raise CheckpointError(
            f"{path}: wants data from outside its file, as no model of ours does; do not use it."
        )
    return graph


def write(path: Path, graph: bytes, texts: Mapping[str, str]) -> None:
    """Graph and texts, written beside and then renamed.

    Raises:
        CheckpointError: it cannot be written there.
    """
    entries = {_FORMAT: str(FORMAT_VERSION)} | dict(texts)
    content = graph + b"".join(_text(name, text) for name, text in entries.items())
    try:
        with written_beside(path) as partial:
            partial.write_bytes(content + _text(_CHECKSUM, hashlib.sha256(content).hexdigest()))
    except OSError as error:
        raise CheckpointError(
            f"{path}: the model cannot be written ({error.strerror}); make room, or choose another place."
        ) from None


def _check_size(size: int, name: str) -> None:
    if size > (_LARGEST_DICTIONARY if name == DICTIONARY else _LARGEST_TEXT):
        raise ValueError(f"{size} bytes are too many for a text of a model")


def _read_texts(path: Path) -> dict[str, str]:
    """All texts by name; the graph is passed over, not read."""
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            texts = dict(
                _parse(content[field.value : field.end])
                for field in _fields(content)
                if field.number == _TEXTS
            )
    except (OSError, ValueError, IndexError) as error:
        raise CheckpointError(
            f"{path}: no ONNX file, or cut short ({error}); copy or export it again."
        ) from None
    if not {_FORMAT, _CHECKSUM} <= texts.keys():
        raise CheckpointError(
            f"{path}: not written by `asr export`, so it says nothing of its symbols; export it again."
        )
    if texts[_FORMAT] != str(FORMAT_VERSION):
        raise CheckpointError(
            f"{path}: format {printable(texts[_FORMAT])} is unknown to this version; update asr to read it."
        )
    return texts


def _fields(content: bytes | mmap.mmap) -> Iterator[_Field]:
    """The outermost fields, one after the other.

    Raises:
        ValueError, IndexError: it is no protobuf message, or not all of one.
    """
    start = 0
    while start < len(content):
        tag, end = _varint(content, start)
        value = end
        number, kind = divmod(tag, 8)
        if number == 0 or kind not in (0, 2):
            raise ValueError("not of ONNX's layout")
        if kind == 0:
            _, end = _varint(content, end)
        else:
            length, value = _varint(content, end)
            end = value + length
        if end > len(content):
            raise ValueError(f"{end - len(content)} bytes are missing")
        yield _Field(number, start, value, end)
        start = end


def _varint(content: bytes | mmap.mmap, position: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where it ends."""
    number = 0
    for shift in range(0, 64, 7):
        byte = content[position]
        position += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, position
    raise ValueError("not of ONNX's layout")


def _parse(entry: bytes) -> tuple[str, str]:
    """Name (field 1) and text (field 2) of an entry."""
    _check_size(len(entry), DICTIONARY)
    parts = {field.number: entry[field.value : field.end].decode() for field in _fields(entry)}
    name, text = parts.get(1, ""), parts.get(2, "")
    _check_size(len(text), name)
    return name, text


def _text(name: str, text: str) -> bytes:
    return _bytes_field(_TEXTS, _bytes_field(1, name.encode()) + _bytes_field(2, text.encode()))


def _bytes_field(number: int, value: bytes) -> bytes:
    return _encode(number << 3 | 2) + _encode(len(value)) + value


def _encode(number: int) -> bytes:
    low, rest = number & 127, number >> 7
    return bytes([low | 128]) + _encode(rest) if rest else bytes([low])
