"""Books in plain text become sentences, as the language model of the English recipe takes them."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "recipes" / "english" / "books.py"

BOOK = """CHAPTER IV.

It was a dark and
stormy night--the rain fell. "Who's there?" he said.
He was 19 years old; nobody knew.

Chapter 5

It was a dark and stormy night the rain fell.
"""


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_sentences_are_whole_and_stand_once(tmp_path):
    (tmp_path / "book.txt").write_text(BOOK, encoding="utf-8")
    done = run(tmp_path / "book.txt", "-o", tmp_path / "books.txt")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "books.txt").read_text(encoding="utf-8").splitlines() == [
        "It was a dark and stormy night the rain fell.",
        "\"Who's there?",
        "he said.",
        "nobody knew.",
    ]
    assert done.stdout == f"{tmp_path / 'books.txt'}: 4 sentences\n"


def test_a_book_that_is_missing_is_named(tmp_path):
    done = run(tmp_path / "none.txt", "-o", tmp_path / "books.txt")
    assert done.returncode == 1
    assert str(tmp_path / "none.txt") in done.stderr
    assert not (tmp_path / "books.txt").exists()
