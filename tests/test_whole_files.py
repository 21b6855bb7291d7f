import pytest

from asr.whole_files import write_text


def test_a_text_replaces_another_in_a_folder_that_is_made(tmp_path):
    path = tmp_path / "new" / "a.txt"
    for text in ("one\n", "zwölf\n"):
        write_text(path, text)
        assert path.read_text(encoding="utf-8") == text
    assert [one.name for one in path.parent.iterdir()] == ["a.txt"]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "whole")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\udce9")
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_text(tmp_path / "taken", "text")
    assert path.read_text() == "whole"
    assert {one.name for one in tmp_path.iterdir()} == {"a.txt", "taken"}
