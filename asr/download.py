"""Corpora from their homes: what a broken connection left is gone on with, checked, unpacked; what is there stays.

An archive arrives as ``<file>.partial``, is renamed when it is whole and its checksum right, is unpacked beside, and
is removed once its folder stands under its own name.
"""

import gzip
import hashlib
import lzma
import os
import shutil
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import rich.progress
from rich.console import Console

from asr.errors import DownloadError

TIMEOUT_SECONDS = 60.0

_CHUNK_BYTES = 1 << 16
_NOTHING_THERE = 416
_PARTIAL_CONTENT = 206
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError)


@dataclass(frozen=True)
class Archive:
    """A tar or zip file at a corpus's home."""

    name: str
    """The folder that it is unpacked to."""
    url: str
    checksum: str = ""
    """``sha256:...`` or ``md5:...`` in hexadecimal; empty where none is published."""

    @property
    def file_name(self) -> str:
        """The last part of its address."""
        return self.url.rpartition("/")[2]


def fetch(archives: Iterable[Archive], folder: Path) -> None:
    """Have each archive's content in ``folder/<name>``; only what is not there is downloaded.

    Raises:
        DownloadError: no connection, another checksum, an archive that is damaged or reaches outside its folder, or a
            folder that cannot be written.
    """
    for archive in archives:
        if not (folder / archive.name).is_dir():
            _fetch(archive, folder)


def _fetch(archive: Archive, folder: Path) -> None:
    path = folder / archive.file_name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            print(f"downloading {archive.url} to {folder}", file=sys.stderr)
            partial = folder / f"{archive.file_name}.partial"
            _download(archive.url, partial)
            _check(archive, partial)
            os.replace(partial, path)
        _unpack(path, folder / archive.name)
        path.unlink()
    except OSError as error:
        raise DownloadError(
            f"{path}: cannot be written ({error.strerror or error}); make room or choose another --download-dir, "
            "and the same command goes on where it stopped."
        ) from None


class _Broken(Exception):
    """A connection that could not be made, or did not last."""


def _download(url: str, partial: Path) -> None:
    """Connect again for as long as each connection brings the file further."""
    while True:
        before, reason = _size(partial), "the connection broke"
        try:
            if _append(url, partial):
                return
        except _Broken as error:
            reason = str(error)
        if _size(partial) <= before:
            raise DownloadError(
                f"{url}: cannot be downloaded ({reason}); the same command goes on where it stopped, "
                "or get the corpus another way and give --corpus-dir."
            )


def _append(url: str, partial: Path) -> bool:
    """What one connection brings; whether the file is whole then."""
    have = _size(partial)
    response = _connect(url, have)
    if response is None:
        return True
    with response:
        # A server that knows no ranges sends all of it again.
        start = have if response.status == _PARTIAL_CONTENT else 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else None
        with open(partial, "ab" if start else "wb") as file, _bar(partial.stem, start, total) as bar:
            for chunk in _chunks(response):
                file.write(chunk)
                bar.advance(bar.task_ids[0], len(chunk))
    return total is None or _size(partial) == total


def _connect(url: str, have: int) -> HTTPResponse | None:
    """The answer from the first byte that is missing; None when there is no such byte."""
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response: HTTPResponse = urlopen(request, timeout=TIMEOUT_SECONDS)
    except (OSError, HTTPException) as error:
        if isinstance(error, HTTPError) and error.code == _NOTHING_THERE:
            return None
        reason = getattr(error, "reason", error)
        raise _Broken(getattr(reason, "strerror", None) or reason) from None
    return response


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    try:
        while chunk := response.read(_CHUNK_BYTES):
            yield chunk
    except (OSError, HTTPException) as error:
        raise _Broken(error) from None


def _bar(title: str, start: int, total: int | None) -> rich.progress.Progress:
    console = Console(stderr=True)
    bar = rich.progress.Progress(
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.DownloadColumn(),
        rich.progress.TransferSpeedColumn(),
        rich.progress.TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    bar.add_task(title, completed=start, total=total)
    return bar


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _check(archive: Archive, partial: Path) -> None:
    if not archive.checksum:
        return
    algorithm, _, expected = archive.checksum.partition(":")
    with _reading(partial, "checking") as file:
        found = hashlib.file_digest(cast(Any, file), algorithm).hexdigest()
    if found != expected:
        partial.unlink()
        raise DownloadError(
            f"{partial}: {archive.url} has {algorithm} {expected}, but this has {found}; "
            "it is removed, run the same command again."
        )


def _unpack(path: Path, folder: Path) -> None:
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with _reading(path, "unpacking") as file:
            if zipfile.is_zipfile(path):
                _unzip(file, partial)
            else:
                with tarfile.open(fileobj=file, mode="r|*") as tar:
                    tar.extractall(partial, filter="data")
    except _DAMAGED as error:
        path.unlink()
        shutil.rmtree(partial, ignore_errors=True)
        raise DownloadError(
            f"{path}: cannot be unpacked ({error}); it is removed, run the same command again."
        ) from None
    os.replace(partial, folder)


def _unzip(file: BinaryIO, folder: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise zipfile.BadZipFile(f"{name!r} lies outside its folder")
        archive.extractall(folder)


def _reading(path: Path, what: str) -> AbstractContextManager[BinaryIO]:
    """The file, opened to be read with a bar."""
    console, title = Console(stderr=True), f"{what} {path.name}"
    return rich.progress.open(
        path, "rb", description=title, console=console, transient=True, disable=not console.is_terminal
    )
