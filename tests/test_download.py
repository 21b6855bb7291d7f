"""Downloads from a real server on this machine: one that breaks off, forgets ranges, or sends something else."""

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from asr.download import Archive, fetch
from asr.errors import DownloadError

CONTENT = np.random.default_rng(1).bytes(300_000)


def tar(name: str = "inside/data.bin", mode: str = "w:gz") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        member = tarfile.TarInfo(name)
        member.size = len(CONTENT)
        archive.addfile(member, io.BytesIO(CONTENT))
    return file.getvalue()


def zipped(name: str = "inside/data.bin") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, CONTENT)
    return file.getvalue()


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("corpus.tar.gz", tar()),
        ("corpus.tgz", tar()),
        ("corpus.tar.bz2", tar(mode="w:bz2")),
        ("corpus.tar", tar(mode="w")),
        ("corpus.zip", zipped()),
    ],
)
def test_an_archive_becomes_a_folder_and_nothing_else(home, tmp_path, name, content):
    folder = tmp_path / "data" / "download"
    fetch([home.archive(name, content)], folder)
    assert (folder / "corpus" / "inside" / "data.bin").read_bytes() == CONTENT
    assert left(folder) == ["corpus"]


def test_a_person_sees_how_long_it_takes(home, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    fetch([home.archive("corpus.tar.gz", tar())], tmp_path)
    printed = capsys.readouterr()
    assert printed.out == ""
    for part in ("downloading http", "/s", "0:00:00", "checking corpus.tar.gz.partial", "unpacking corpus"):
        assert part in printed.err


def test_a_finished_one_is_not_fetched_again(home, tmp_path):
    archives = [home.archive("a.zip", zipped()), home.archive("b.tar", tar(mode="w"))]
    for _ in range(2):
        fetch(archives, tmp_path)
    assert len(home.asked) == 2
    assert left(tmp_path) == ["a", "b"]


def test_a_broken_connection_is_gone_on_with(home, tmp_path):
    archive = home.archive("corpus.tar", tar(mode="w"))
    home.breaks_after = 120_000
    fetch([archive], tmp_path)
    assert home.asked == [None, "bytes=120000-", "bytes=240000-"]
    assert (tmp_path / "corpus" / "inside" / "data.bin").read_bytes() == CONTENT


def test_a_killed_download_is_gone_on_with(home, tmp_path):
    content = tar(mode="w")
    (tmp_path / "corpus.tar.partial").write_bytes(content[:100_000])
    fetch([home.archive("corpus.tar", content)], tmp_path)
    assert home.asked == ["bytes=100000-"]
    assert left(tmp_path) == ["corpus"]


def test_one_killed_after_its_last_byte_is_whole(home, tmp_path):
    content = tar()
    (tmp_path / "corpus.tar.gz.partial").write_bytes(content)
    fetch([home.archive("corpus.tar.gz", content)], tmp_path)
    assert left(tmp_path) == ["corpus"]


def test_one_killed_while_it_was_unpacked_is_unpacked_again(home, tmp_path):
    archive = home.archive("corpus.tar.gz", tar())
    (tmp_path / "corpus.tar.gz").write_bytes(home.files.pop("/corpus.tar.gz"))
    (tmp_path / ".corpus.partial" / "half").mkdir(parents=True)
    fetch([archive], tmp_path)
    assert home.asked == []
    assert left(tmp_path) == ["corpus"]
    assert left(tmp_path / "corpus") == ["inside"]


def test_a_server_that_knows_no_ranges_starts_again(home, tmp_path):
    home.knows_ranges = False
    (tmp_path / "corpus.tar.gz.partial").write_bytes(b"something of yesterday")
    fetch([home.archive("corpus.tar.gz", tar())], tmp_path)
    assert left(tmp_path) == ["corpus"]


def test_a_server_that_states_no_length_and_no_checksum_will_do(home, tmp_path):
    home.states_length = False
    fetch([home.archive("corpus.tar.gz", tar(), checksum="")], tmp_path)
    assert left(tmp_path) == ["corpus"]


def test_a_server_that_gets_no_further_is_given_up(home, tmp_path):
    archive = home.archive("corpus.tar", tar(mode="w"))
    home.breaks_after, home.knows_ranges = 120_000, False
    with pytest.raises(DownloadError, match=r"corpus\.tar: cannot be downloaded \(.*\); the same command"):
        fetch([archive], tmp_path)
    assert left(tmp_path) == ["corpus.tar.partial"]


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_a_wrong_checksum_names_both_and_removes_the_file(home, tmp_path, algorithm):
    content = tar()
    expected, found = (hashlib.new(algorithm, data).hexdigest() for data in (content, content[:-1] + b"x"))
    archive = home.archive("corpus.tar.gz", content[:-1] + b"x", f"{algorithm}:{expected}")
    with pytest.raises(DownloadError, match=f"{expected}, but this has {found}; it is removed, run the same"):
        fetch([archive], tmp_path)
    assert left(tmp_path) == []
    home.files["/corpus.tar.gz"] = content
    fetch([archive], tmp_path)
    assert left(tmp_path) == ["corpus"]


@pytest.mark.parametrize(
    "content", [b"no archive", tar()[:-20_000], tar("../outside"), zipped("../outside"), zipped("/outside")]
)
def test_what_is_damaged_or_reaches_outside_is_refused(home, tmp_path, content):
    folder = tmp_path / "download"
    with pytest.raises(DownloadError, match=r"corpus\.any: cannot be unpacked \(.*\); it is removed"):
        fetch([home.archive("corpus.any", content)], folder)
    assert left(folder) == []
    assert left(tmp_path) == ["download"]


def test_without_a_connection_the_address_and_the_way_out_are_named(home, tmp_path):
    missing = Archive("gone", f"http://127.0.0.1:{home.server_port}/gone.zip")
    with pytest.raises(DownloadError, match=r"http://.*/gone\.zip: cannot be downloaded \(Not Found\)"):
        fetch([missing], tmp_path)
    nobody = Archive("nobody", "http://127.0.0.1:1/nobody.zip")
    with pytest.raises(DownloadError, match=r"nobody\.zip: .*refused\); .* give --corpus-dir\."):
        fetch([nobody], tmp_path)


def test_a_full_disk_is_one_sentence(home, tmp_path):
    (tmp_path / "corpus.tar.gz.partial").symlink_to("/dev/full")
    with pytest.raises(
        DownloadError, match=r"corpus\.tar\.gz: cannot be written \(No space left on device\)"
    ):
        fetch([home.archive("corpus.tar.gz", tar())], tmp_path)


def test_a_folder_that_cannot_be_made_is_one_sentence(home, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError, match=r"cannot be written \(Not a directory\); .*--download-dir"):
        fetch([home.archive("corpus.zip", zipped())], tmp_path / "file" / "download")
