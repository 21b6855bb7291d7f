from html.parser import HTMLParser
from pathlib import Path

from asr.evaluation import Evaluation, score
from asr.manifest import Utterance
from asr.report import write_report


def evaluation(tmp_path: Path) -> Evaluation:
    said = [
        ("theo", "one two three", "one two three"),
        ("lucas", "four <five>", "for five"),
        (None, "six", ""),
    ]
    return Evaluation(
        tuple(
            score(Utterance(str(tmp_path / f"{n}.wav"), 1.0, reference, speaker=speaker), reference, heard)
            for n, (speaker, reference, heard) in enumerate(said)
        ),
        0.5,
    )


def test_the_report_says_what_went_wrong(tmp_path: Path) -> None:
    write_report(tmp_path / "sub" / "report.html", evaluation(tmp_path), "digits & more")
    page = (tmp_path / "sub" / "report.html").read_text()
    assert "%WER 50.00 [ 3 / 6, 0 ins, 1 del, 2 sub ]" in page
    assert "digits &amp; more" in page
    assert "&lt;five&gt;" in page, "text is escaped"
    assert page.index("lucas") < page.index("theo"), "worst speaker first"
    assert page.index("1.wav: 2 of 2") < page.index("0.wav: 0 of 3"), "worst utterance first"
    assert 'src="../1.wav#t=0,1"' in page
    HTMLParser().feed(page)


def test_no_half_report_is_left(tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", evaluation(tmp_path), "x")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
