"""The report as a file: well-formed HTML, texts escaped, numbers and pictures what they should be."""

import base64
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from evaluations import evaluation
from toys import RATE, VOCABULARY, Mumbling, ToneModel, utter, write_corpus

from asr.errors import AudioError
from asr.evaluation import Evaluation, evaluate, score
from asr.evaluation.figures import figures
from asr.manifest import Member, Utterance
from asr.recognizer import Recognizer
from asr.report import write_report
from asr.report.drawing import draw
from asr.report.inspection import inspect, segment, write_page
from asr.report.rows import rows
from asr.report.sight import Sight
from asr.report.sound import embed, link
from asr.report.strips import image, picture, posteriors, spectrogram, wave
from asr.types import Word

VOID = {"meta", "br"}
HOSTILE = "</script><img src=x onerror=alert(1)>\"'&<!--"


class Page(HTMLParser):
    """Every element must be closed, in order; keeps the JSON inside, the text, and what attributes refer to."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.data: dict[str, object] = {}
        self.text, self.references, self.name = "", [], None
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        assert not [name for name in values if name.startswith("on")], "no handler stands in the page"
        self.references += [values[name] for name in ("src", "href") if name in values]
        self.tags.append(tag)
        self.name = values.get("id") if values.get("type") == "application/json" else None
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.name is not None:
            self.data[self.name], self.name = json.loads(data), None
        elif self.open and self.open[-1] not in ("script", "style"):
            self.text += data


def written(folder: Path, scored: Evaluation, title: str = "a title", **more) -> Page:
    write_report(folder / "report.html", scored, title, **more)
    assert [path.name for path in folder.iterdir() if "report" in path.name] == ["report.html"]
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def test_the_report_says_what_went_wrong(tmp_path):
    texts = [("one two three", "one two three"), ("four <five>", "for five"), ("six", "")]
    page = written(tmp_path, evaluation(texts, speakers=["theo", "lucas", "lucas"]), "digits & more")
    assert "%WER 50.00 [ 3 / 6, 0 ins, 1 del, 2 sub ]" in page.text
    for text in (
        "digits & more",
        "50.00 %",
        "3 of 6",
        "<five>",
        "Wrong words",
        "Wrong characters",
        "By speaker",
    ):
        assert text in page.text
    assert page.text.index("lucas") < page.text.index("theo"), "worst speaker first"
    assert [row["id"] for row in page.data["rows"]] == ["1", "2", "0"], "worst utterance first"
    first = page.data["rows"][0]
    assert first["tokens"] == [["four", "for"], ["<five>", "five"]]
    assert first["counts"] == [2, 0, 0]
    assert page.data["rows"][1]["tokens"] == [["six", None]]
    assert page.data["rows"][2]["tokens"] == ["one", "two", "three"]
    assert page.data["rows"][2]["heard"][1] == [0.5, 0.9, 0.9]


def test_nothing_outside_is_referred_to(tmp_path):
    page = written(tmp_path, evaluation([("a", "b")]))
    text = (tmp_path / "report.html").read_text()
    assert page.references == []
    assert not re.findall(r"https?://|@import|url\(", text)
    assert "default-src 'none'" in text


def test_hostile_texts_stay_texts(tmp_path):
    texts = [(HOSTILE, "'" + HOSTILE), ("b", HOSTILE)]
    fields = [{"id": "1" + HOSTILE, "place": HOSTILE}, {"id": "2", "place": "x"}]
    scored = evaluation(texts, speakers=[HOSTILE, "b"], extras=fields, failure=HOSTILE)
    page = written(tmp_path, scored, HOSTILE, found=figures(scored, ["place"]))
    clean = written(tmp_path, evaluation([("a", "c"), ("b", "c d")], speakers=["a", "b"]))
    assert "img" not in page.tags
    assert page.tags.count("script") == clean.tags.count("script")
    assert {row["speaker"] for row in page.data["rows"]} == {HOSTILE, "b"}
    assert HOSTILE in page.text


def test_unknown_numbers_leave_no_trace(tmp_path):
    page = written(tmp_path, evaluation([("", "")]))
    assert "0.00 %" in page.text
    assert "svg" not in [tag for tag in page.tags if tag == "figure"]
    assert "By " not in page.text
    assert "confidence" not in page.data["rows"][0]


def test_what_a_decoder_and_the_training_text_do_is_said(tmp_path):
    scored = evaluation([("a b", "a c"), ("c", "c")], greedy="a x", alternatives=("a b", "a"))
    page = written(tmp_path, scored, found=figures(scored, training={"a": 5, "b": 0, "c": 20000}))
    for text in (
        "Best of each n-best list",
        "Greedy decoding: WER",
        "times in the training text",
        "never",
        "10000+",
    ):
        assert text in page.text
    assert page.data["rows"][0]["greedy"] == "a x"
    assert page.data["rows"][0]["alternatives"] == ["a b", "a"]


@pytest.mark.parametrize("script", ["player.js", "strips.js", "utterances.js"])
def test_scripts_are_in_the_page_and_parse(tmp_path, script):
    path = Path(__file__).parent.parent / "asr" / "report" / "assets" / script
    text = path.read_text()
    assert "innerHTML" not in text
    assert len(text.splitlines()) < 300
    write_report(tmp_path / "report.html", evaluation([("a", "b")]), "x")
    assert text in (tmp_path / "report.html").read_text()
    node = shutil.which("node")
    if node is not None:  # else Chromium's test is left
        subprocess.run([node, "--check", path], check=True)


def test_worst_utterances_have_pictures(tmp_path):
    recognizer = Recognizer(Mumbling(), VOCABULARY)
    utterances = write_corpus(tmp_path, ["ab cd", "bad", "dc ab bad"])
    missing = Utterance(str(tmp_path / "missing.wav"), 1.0, " ".join(["ab"] * 20))
    scored = evaluate(recognizer, [*utterances, missing])
    drawn = []
    page = written(
        tmp_path, scored, recognizer=recognizer, num_pictures=3, on_picture=lambda: drawn.append(1)
    )
    assert page.data["rows"][0]["failure"].endswith("permissions."), "what cannot be read is the worst"
    assert sorted(page.data) == ["picture-1", "picture-2", "rows"]
    assert drawn == [1, 1]
    strips = page.data["picture-1"]["strips"]
    assert [strip["kind"] for strip in strips] == ["wave", "image", "curves"]
    row = page.data["rows"][1]
    assert len(page.data["picture-1"]["said"]) == row["words"]
    assert row["audio"] == [Path(row["path"]).name, 0.0, row["seconds"]]
    assert "audio" not in page.data["picture-1"]


def test_sound_is_embedded_to_the_sample(tmp_path):
    recognizer = Recognizer(ToneModel(), VOCABULARY)
    (utterance,) = write_corpus(tmp_path, ["ab cd"])
    scored = evaluate(recognizer, [utterance])
    page = written(tmp_path, scored, recognizer=recognizer, embed_audio=True)
    address, start, end = page.data["picture-0"]["audio"]
    kind, data = address.split(",")
    assert (kind, start, end) == ("data:audio/flac;base64", 0.0, pytest.approx(utterance.duration))
    (tmp_path / "again.flac").write_bytes(base64.b64decode(data))
    again, rate = soundfile.read(tmp_path / "again.flac", dtype="float32")
    assert rate == RATE
    assert np.array_equal(again, soundfile.read(utterance.audio_filepath, dtype="float32")[0])


def test_links_are_relative_and_quoted(tmp_path):
    path = str(tmp_path / "sub" / "50% #1?.wav")
    assert link(Utterance(path, 2.0, "", offset=1.5), tmp_path) == ("sub/50%25%20%231%3F.wav", 1.5, 3.5)
    assert link(Utterance(path, 2.0, ""), tmp_path / "sub" / "report")[0] == "../50%25%20%231%3F.wav"
    assert link(Utterance(path, 2.0, "", member=Member("a.wav", 512, 100)), tmp_path) is None
    assert link(Utterance(str(tmp_path / "a.sph"), 2.0, ""), tmp_path) is None
    assert link(Utterance(None, 2.0, ""), tmp_path) is None
    stored = rows(Evaluation((score(Utterance(None, 1.0, "a"), "a", "a"),), 1.0), [0], tmp_path)
    assert {"path", "audio"}.isdisjoint(stored[0]), "no sound is promised where there is none"
    assert embed(np.full(100, 1.5, np.float32), 8000)[2] == 100 / 8000


def values(strip: dict, kind: type = np.uint8) -> np.ndarray:
    return np.frombuffer(base64.b64decode(strip["data"]), kind)


def test_a_wave_keeps_its_peaks():
    waveform = np.zeros(RATE * 2, np.float32)
    waveform[5000], waveform[9000] = 0.5, -0.25
    strip = wave(waveform, 2.0)
    ends = values(strip, np.int8).reshape(-1, 2)
    assert ends.max() == 127
    assert ends.min() == -64
    assert ends[:, 1].argmax() == 5000 * len(ends) // len(waveform)
    assert strip["label"] == "waveform, peak -6 dB"


@pytest.mark.parametrize("rate", [4000, 8000, 16000, 44100])
def test_a_spectrogram_shows_a_tone_where_and_when_it_sounds(rate):
    time = np.arange(2 * rate) / rate
    waveform = (np.sin(2 * np.pi * 1000 * time) * (time > 1) / 2).astype(np.float32)
    strip = spectrogram(waveform, rate)
    shares = values(strip).reshape(strip["rows"], -1)
    assert shares[:, : shares.shape[1] // 2 - 3].max() == 0
    tick = next(row for row, text in strip["ticks"] if text == "1000")
    assert abs(shares[:, -20].argmax() - tick) < 1.5
    assert shares.max() == 255


@pytest.mark.parametrize("num_samples", [1, 50, 1000])
def test_short_and_silent_recordings_have_spectrograms(num_samples):
    strip = spectrogram(np.zeros(num_samples, np.float32), 8000)
    assert values(strip).max() == 0


def sight(log_probs: np.ndarray, symbols: tuple[str, ...], **more) -> Sight:
    seconds = len(log_probs) * 0.02
    return Sight(seconds, 8000, None, None, log_probs, 0.02, symbols, (), **more)


def test_posteriors_are_those_of_symbols_that_occur():
    shares = np.full((100, 4), 0.01)
    shares[:, 0] = 0.9
    shares[40, 2] = 0.6
    strip = posteriors(sight(np.log(shares).astype(np.float32), ("<blank>", "a", " ", "b")))
    assert strip["symbols"] == ["–", "␣"]
    shown = values(strip).reshape(2, -1)
    assert shown[0, 0] == round(0.9 * 255)
    assert shown[1].argmax() == 40
    assert shown[1, 40] == round(0.6 * 255)


def test_long_recordings_stay_small():
    seen = sight(np.log(np.full((50_000, 3), 1 / 3, np.float32)), ("<blank>", "a", "b"))
    assert len(values(posteriors(seen))) == 3 * 6000
    assert len(values(image("MFCC", np.random.default_rng(1).normal(size=(13, 50_000)), 1000.0))) < 13 * 6001


def test_stored_features_take_the_place_of_a_waveform():
    features = np.random.default_rng(2).normal(size=(100, 13)).astype(np.float32)
    log_probs = np.log(np.full((50, 2), 0.5, np.float32))
    seen = Sight(1.0, 8000, None, features, log_probs, 0.02, ("<blank>", "a"), ())
    assert [strip["kind"] for strip in picture(seen)["strips"]] == ["image", "curves"]


def test_a_recording_is_inspected(tmp_path):
    (utterance,) = write_corpus(tmp_path, ["ab cd dc"])
    path = Path(utterance.audio_filepath)
    recognizer = Recognizer(ToneModel(), VOCABULARY)
    whole = inspect(recognizer, segment(path))
    assert [word.text for word in whole.words] == ["ab", "cd", "dc"]
    assert np.allclose(whole.waveform, utter("ab cd dc"), atol=1e-4)
    part = inspect(recognizer, segment(path, offset=whole.words[1].start))
    assert [word.text for word in part.words] == ["cd", "dc"]
    write_page(tmp_path / "seen.html", whole, segment(path), HOSTILE)
    page = Page((tmp_path / "seen.html").read_text())
    assert page.data["rows"][0]["tokens"] == ["ab", "cd", "dc"]
    assert page.data["rows"][0]["audio"][0] == "000.wav"
    draw(tmp_path / "seen.png", whole)
    assert (tmp_path / "seen.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(AudioError, match="missing"):
        inspect(recognizer, Utterance(str(tmp_path / "missing.wav"), 1.0, ""))


def test_odd_words_can_be_drawn(tmp_path):
    log_probs = np.log(np.full((20, 3), 1 / 3, np.float32))
    words = (Word("$x_{", 0.0, 0.2, 0.5), Word("шесть 六", 0.2, 0.4, 1.0))
    draw(tmp_path / "a.png", Sight(0.4, 8000, None, None, log_probs, 0.02, ("<blank>", "$", "六"), words))
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
