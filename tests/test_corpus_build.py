import gzip
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.corpus.build import build
from asr.errors import ManifestError


def facts(built) -> list[tuple]:
    """File name, offset, duration, text and speaker of each utterance."""
    return [
        (Path(one.audio_filepath).name, one.start, round(one.duration, 3), one.text, one.speaker)
        for one in built.utterances
    ]


def test_recordings_with_texts_beside_them_at_any_depth(write_audio, tmp_path):
    write_audio("b/two.flac", 0.5).with_suffix(".txt").write_text("second\nline\n")
    write_audio("a/deep/one.wav", 1.0).with_suffix(".txt").write_bytes(b"\xef\xbb\xbffirst \r\n")
    write_audio("three.v2.ogg", 0.25).with_name("three.v2.txt").write_text("ɛ́ third")
    built = build(tmp_path)
    assert built.problems == []
    assert facts(built) == [
        ("one.wav", 0.0, 1.0, "first", None),
        ("two.flac", 0.0, 0.5, "second line", None),
        ("three.v2.ogg", 0.0, 0.25, "ɛ́ third", None),
    ]
    assert all(Path(one.audio_filepath).is_absolute() for one in built.utterances)


@pytest.mark.parametrize(
    ("rule", "speakers"),
    [
        ("none", {None}),
        ("folder", {"ada", "bob"}),
        (r"_([a-z])\w*\.wav$", {"x", "y"}),
        (r"^(\w+)/", {"ada", "bob"}),
    ],
)
def test_speakers_come_from_the_path_when_asked(write_audio, tmp_path, rule, speakers):
    for name in ("ada/1_xu.wav", "bob/1_yu.wav"):
        write_audio(name, 0.1).with_suffix(".txt").write_text("hi")
    assert {one.speaker for one in build(tmp_path, speaker_from=rule).utterances} == speakers


def test_a_path_without_a_speaker_is_a_bad_item_and_a_bad_rule_an_error(write_audio, tmp_path):
    for name in ("ada_1.wav", "1.wav"):
        write_audio(name, 0.1).with_suffix(".txt").write_text("hi")
    built = build(tmp_path, speaker_from=r"^([a-z]+)_")
    assert [one.speaker for one in built.utterances] == ["ada"]
    assert len(built.problems) == 1
    assert "1.wav: --speaker-from ^([a-z]+)_ finds no speaker" in built.problems[0]
    with pytest.raises(ManifestError, match="exactly one group"):
        build(tmp_path, speaker_from="[a-z]+")
    with pytest.raises(ManifestError, match="not a regular expression"):
        build(tmp_path, speaker_from="(")


def test_linked_folders_hold_recordings_too(write_audio, tmp_path):
    write_audio("there/bob/1.wav", 0.1).with_suffix(".txt").write_text("hi")
    write_audio("here/ada/1.wav", 0.2).with_suffix(".txt").write_text("hello")
    (tmp_path / "here" / "bob").symlink_to(tmp_path / "there" / "bob", target_is_directory=True)
    built = build(tmp_path / "here", speaker_from="folder")
    assert [(text, speaker) for *_, text, speaker in facts(built)] == [("hello", "ada"), ("hi", "bob")]


def test_a_name_that_is_not_utf8_is_a_bad_item(write_audio, tmp_path):
    write_audio("good.wav", 0.1).with_suffix(".txt").write_text("hi")
    for number, name in enumerate((b"caf\xe9.wav", b"f\xfcr/a.wav", b"mute\xe9.wav")):
        path = tmp_path / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        write_audio(f"{number}.wav", 0.1).rename(path)
        path.with_suffix(".txt").write_text("hi" if number < 2 else "")
    built = build(tmp_path)
    assert [name for name, *_ in facts(built)] == ["good.wav"]
    reason = "its name, or its folder's, is not UTF-8, as a manifest is; rename it."
    names = ("caf\\udce9.wav", "f\\udcfcr/a.wav", "mute\\udce9.wav")
    assert built.problems == [f"{tmp_path}/{name}: {reason}" for name in names]


def test_each_bad_item_is_named_with_its_remedy_and_the_rest_goes_on(write_audio, tmp_path):
    for name in ("good.wav", "untold.wav", "blank.wav", "latin.wav"):
        write_audio(name, 0.1).with_suffix(".txt").write_text("hi")
    (tmp_path / "untold.txt").unlink()
    (tmp_path / "blank.txt").write_text(" \n")
    (tmp_path / "latin.txt").write_bytes("é".encode("latin-1"))
    (tmp_path / "noise.wav").write_bytes(bytes(range(256)) * 8)
    (tmp_path / "noise.txt").write_text("hi")
    soundfile.write(tmp_path / "silent.wav", np.zeros(0, np.float32), 16000)
    (tmp_path / "silent.txt").write_text("hi")
    built = build(tmp_path)
    assert [Path(one.audio_filepath).name for one in built.utterances] == ["good.wav"]
    reasons = {
        "blank.wav": "the text is empty",
        "latin.wav": "not UTF-8",
        "noise.wav": "",
        "silent.wav": "holds no audio",
        "untold.wav": "write untold.txt",
    }
    assert len(built.problems) == len(reasons)
    for problem, (name, reason) in zip(built.problems, reasons.items(), strict=True):
        assert problem.startswith(f"{tmp_path / name}: ")
        assert reason in problem


def test_ljspeech_metadata_takes_the_normalised_text_and_any_extension(write_audio, tmp_path):
    write_audio("wavs/LJ001-0001.flac", 0.2)
    write_audio("wavs/LJ001-0002.opus", 0.3, rate=48000, format="OGG", subtype="OPUS")
    (tmp_path / "metadata.csv").write_text(
        'LJ001-0001|In 1455 "he"|In fourteen fifty-five "he"\nLJ001-0002|only, this|\nLJ001-0003|gone|gone\n'
    )
    built = build(tmp_path)
    assert facts(built) == [
        ("LJ001-0001.flac", 0.0, 0.2, 'In fourteen fifty-five "he"', None),
        ("LJ001-0002.opus", 0.0, 0.3, "only, this", None),
    ]
    assert len(built.problems) == 1
    assert "metadata.csv:3: the recording LJ001-0003 is not there" in built.problems[0]


def test_common_voice_tsv(write_audio, tmp_path):
    write_audio("clips/cv_1.mp3", 0.5)
    (tmp_path / "train.tsv").write_text(
        'client_id\tpath\tsentence\tup_votes\nabc\tcv_1.mp3\tHabari "ya" asubuhi, "\t2\nabc\tcv_2.mp3\n'
    )
    built = build(tmp_path / "train.tsv")
    (name, _, duration, text, speaker) = facts(built)[0]
    assert (name, text, speaker) == ("cv_1.mp3", 'Habari "ya" asubuhi, "', "abc")
    assert duration == pytest.approx(0.5, abs=0.1)
    assert ["train.tsv:3: only 2 columns" in problem for problem in built.problems] == [True]


def test_deepspeech_csv_with_quotes_and_absolute_paths(write_audio, tmp_path):
    path = write_audio("far/a.wav", 0.5)
    (tmp_path / "train.csv").write_text(
        f'wav_filename,wav_filesize,transcript\r\n{path},16044,"one, ""two"""\r\nfar/a.mp3,1,again\r\n'
    )
    built = build(tmp_path / "train.csv")
    assert [(text, duration) for _, _, duration, text, _ in facts(built)] == [
        ("again", 0.5),
        ('one, "two"', 0.5),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
@pytest.mark.parametrize(
    "header",
    [
        ("audio", "text", "speaker"),
        ("File", "Transcription", "speaker_id"),
        ("filename", "transcript", "client_id"),
    ],
)
def test_any_header_that_says_what_it_means(write_audio, tmp_path, delimiter, header):
    write_audio("a.wav", 0.1)
    rows = [("n", *header), ("1", "a.wav", "hello", "eva")]
    (tmp_path / "list.csv").write_text("\n".join(delimiter.join(row) for row in rows))
    assert facts(build(tmp_path)) == [("a.wav", 0.0, 0.1, "hello", "eva")]


def test_tables_that_cannot_be_understood_say_why(write_audio, tmp_path):
    (tmp_path / "notes.csv").write_text("when,what\n1,2\n")
    with pytest.raises(ManifestError, match=r"notes\.csv: its header names no audio and text column"):
        build(tmp_path / "notes.csv")
    (tmp_path / "one.tsv").write_text("path\ttext\n")
    (tmp_path / "two.tsv").write_text("path\ttext\n")
    with pytest.raises(ManifestError, match=r"several lists of utterances \(one\.tsv, two\.tsv\)"):
        build(tmp_path)


def test_a_quotation_mark_that_is_not_closed_is_named_and_the_other_rows_go_on(write_audio, tmp_path):
    for name in ("0.wav", "1.wav", "wavs/2.flac", "3.wav"):
        write_audio(name, 0.1)
    (tmp_path / "list.csv").write_text(
        'path,text\n3.wav,"so it\ngoes, 0.wav"\n0.wav,"I am here\n1.wav,said he\n3.wav,"that is it"\n'
        '2,"two\nlines, and more"\n0.wav,"and\n2,then"\n'
    )
    built = build(tmp_path / "list.csv")
    assert [(name, text) for name, _, _, text, _ in facts(built)] == [
        ("3.wav", "so it goes, 0.wav"),
        ("2.flac", "two lines, and more"),
    ]
    assert [problem.partition(": ")[0] for problem in built.problems] == [
        f"{tmp_path}/list.csv:{line}" for line in (4, 9)
    ]
    assert "runs on to line 6 and takes in rows of their own; close it" in built.problems[0]


def test_a_header_that_takes_in_rows_is_named(write_audio, tmp_path):
    write_audio("0.wav", 0.1)
    (tmp_path / "list.csv").write_text('path,text,"note\n0.wav,one\n0.wav,two,"\n0.wav,three\n')
    built = build(tmp_path / "list.csv")
    assert [text for _, _, _, text, _ in facts(built)] == ["three"]
    assert [f"{tmp_path}/list.csv:1: a quotation mark opens" in problem for problem in built.problems] == [
        True
    ]


def test_a_quotation_mark_that_takes_in_a_book_is_one_sentence(write_audio, tmp_path):
    write_audio("0.wav", 0.1)
    (tmp_path / "list.csv").write_text('path,text\n0.wav,"one\n' + "0.wav,two\n" * 20_000)
    with pytest.raises(ManifestError, match=r"row after line 1 cannot be read .*its quotation marks first\."):
        build(tmp_path / "list.csv")


def test_a_table_of_something_else_does_not_hide_the_texts_beside_recordings(write_audio, tmp_path):
    (tmp_path / "notes.csv").write_text("when,what\n1,2\n")
    write_audio("a.wav", 0.1).with_suffix(".txt").write_text("hi")
    assert facts(build(tmp_path)) == [("a.wav", 0.0, 0.1, "hi", None)]


@pytest.fixture
def kaldi(write_audio, tmp_path):
    """A data directory whose paths start two folders above it, with audio re-encoded since."""
    write_audio("WAVE/r1.flac", 2.0)
    write_audio("WAVE/r2.wav", 1.0)
    folder = tmp_path / "data" / "train"
    folder.mkdir(parents=True)
    (folder / "wav.scp").write_text("r2 WAVE/r2.wav\nr1\tWAVE/r1.WAV\n")
    (folder / "text").write_text("r1 ONE AND\nr2\tTWO\n")
    (folder / "utt2spk").write_text("r1 s1\nr2 s2\n")
    return folder


def test_librispeech_has_the_texts_of_a_chapter_in_one_file(write_audio, tmp_path):
    chapter = tmp_path / "dev-clean" / "84" / "121123"
    for name in ("84-121123-0000.flac", "84-121123-0001.mp3"):
        write_audio(f"dev-clean/84/121123/{name}", 0.5)
    (chapter / "84-121123.trans.txt").write_text(
        "84-121123-0000 GO DO YOU HEAR\n84-121123-0001 BUT\n84-121123-0002 GONE\n"
    )
    built = build(tmp_path)
    texts = [(Path(one.audio_filepath).name, one.text, one.speaker) for one in built.utterances]
    assert texts == [("84-121123-0000.flac", "GO DO YOU HEAR", "84"), ("84-121123-0001.mp3", "BUT", "84")]
    (problem,) = built.problems
    assert "84-121123.trans.txt:3: the recording" in problem
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "84").symlink_to(chapter.parent, target_is_directory=True)
    assert [one.text for one in build(tmp_path / "linked").utterances] == ["GO DO YOU HEAR", "BUT"]


def test_kaldi_data_directory(kaldi):
    built = build(kaldi)
    assert facts(built) == [("r1.flac", 0.0, 2.0, "ONE AND", "s1"), ("r2.wav", 0.0, 1.0, "TWO", "s2")]
    assert not any(one.offset is not None for one in built.utterances)


def test_kaldi_segments_are_segments_even_when_they_begin_at_zero(kaldi):
    (kaldi / "segments").write_text(
        "u1 r1 0.0 0.75\nu2 r1 0.75 2.04\nu3 r2 0.5 -1\nu4 r2 0.5 3.0\nu5 r9 0 1\n"
    )
    (kaldi / "text").write_text("u1 ONE\nu2 AND\nu3 TWO\nu4 FAR\nu5 GONE\nu6 NEVER\n")
    (kaldi / "utt2spk").unlink()
    built = build(kaldi)
    assert facts(built) == [
        ("r1.flac", 0.0, 0.75, "ONE", None),
        ("r1.flac", 0.75, 1.25, "AND", None),
        ("r2.wav", 0.5, 0.5, "TWO", None),
    ]
    assert all(one.offset is not None for one in built.utterances)
    assert len(built.problems) == 3
    for problem, reason in zip(
        built.problems,
        ["u4: the segment from 0.5 to 3 s", "u5: wav.scp has no recording r9", "u6: it has a text"],
        strict=True,
    ):
        assert f"{kaldi}: utterance {reason}" in problem


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("sph2pipe -f wav a.sph |", "pipes it through"),
        ("a.ark:1234", "into an archive"),
        ("gone.wav", "is not there"),
    ],
)
def test_kaldi_entries_that_are_no_files_name_the_remedy(kaldi, entry, reason):
    (kaldi / "wav.scp").write_text(f"r1 {entry}\nr2 WAVE/r2.wav\n")
    built = build(kaldi)
    assert len(built.utterances) == 1
    assert len(built.problems) == 1
    assert "utterance r1: " in built.problems[0]
    assert reason in built.problems[0]


def test_kaldi_files_that_are_malformed_or_missing_are_errors(kaldi):
    (kaldi / "segments").write_text("u1 r1 zero 1\n")
    with pytest.raises(ManifestError, match="segments: utterance u1: not a recording and two times"):
        build(kaldi)
    (kaldi / "text").unlink()
    with pytest.raises(ManifestError, match=r"text: cannot be read \(No such file"):
        build(kaldi)


def cut(source: str, start: float, duration: float, *supervisions: dict, **recording) -> dict:
    recording = {"id": "r", "duration": 2.0, "sources": [{"type": "file", "source": source}]} | recording
    entry = {"id": "c", "type": "MonoCut", "start": start, "duration": duration, "recording": recording}
    return entry | {"supervisions": list(supervisions)}


def supervision(start: float, duration: float, text: str, **more) -> dict:
    return {
        "id": f"sup-{text}",
        "recording_id": "r",
        "start": start,
        "duration": duration,
        "text": text,
    } | more


@pytest.mark.parametrize("name", ["cuts.jsonl", "cuts_train.jsonl.gz"])
def test_lhotse_cut_set(write_audio, tmp_path, name):
    write_audio("audio/r.wav", 2.0)
    cuts = [
        cut("audio/r.flac", 0.0, 2.0, supervision(0.0, 2.0, "whole", speaker="s1")),
        cut("audio/r.flac", 0.5, 1.0, supervision(0.0, 0.25, "left"), supervision(0.25, 0.75, "right")),
        cut("audio/r.flac", 0.0, 2.0),
        cut("audio/r.flac", 0.0, 2.0, supervision(0.0, 2.0, "fast"), transforms=[{"name": "Speed"}]),
        {"id": "m", "type": "MixedCut", "tracks": []},
        {"id": "odd", "recording": {"sources": []}},
    ]
    data = "\n".join(map(json.dumps, cuts)).encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    built = build(tmp_path)
    assert facts(built) == [
        ("r.wav", 0.0, 2.0, "whole", "s1"),
        ("r.wav", 0.5, 0.25, "left", None),
        ("r.wav", 0.75, 0.75, "right", None),
    ]
    assert [one.offset is not None for one in built.utterances] == [False, True, True]
    for problem, (line, reason) in zip(
        built.problems,
        {3: "no supervision", 4: "save_audios", 5: "save_audios", 6: "not a Lhotse cut"}.items(),
        strict=True,
    ):
        assert f"{name}:{line}: " in problem
        assert reason in problem


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("5", "not a JSON object"),
        ('["a"]', "not a JSON object"),
        ("{oops", "not a JSON object (Expecting property name"),
        ("1" * 5000, "not a JSON object (nested too deep, or a number too long)"),
    ],
)
def test_a_line_that_is_no_cut_is_named(tmp_path, line, reason):
    (tmp_path / "cuts.jsonl").write_text(f"\n{line}\n")
    with pytest.raises(ManifestError, match=re.escape(f"cuts.jsonl:2: {reason}") + ".*; one cut a line"):
        build(tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        cut("r.wav", 0.0, 2.0, supervision(0.0, 2.0, 5)),
        cut("r.wav", 0.0, 2.0, supervision(0.0, 2.0, "\ud800")),
        cut("r.wav", 0.0, 2.0, supervision(0.0, 2.0, "a", speaker=7)),
        cut(5, 0.0, 2.0, supervision(0.0, 2.0, "a")),
        cut("r.wav", 0.0, 2.0, "a"),
        {"recording": ["r.wav"]},
    ],
)
def test_a_cut_of_other_types_is_a_bad_item(write_audio, tmp_path, wrong):
    write_audio("r.wav", 2.0)
    cuts = [wrong, cut("r.wav", 0.0, 2.0, supervision(0.0, 2.0, "right"))]
    (tmp_path / "cuts.jsonl").write_text("\n".join(map(json.dumps, cuts)))
    built = build(tmp_path)
    assert [text for _, _, _, text, _ in facts(built)] == ["right"]
    (problem,) = built.problems
    assert "cuts.jsonl:1: not a Lhotse cut (" in problem
    assert problem.endswith("write it with CutSet.to_file.")


@pytest.mark.parametrize(
    "damage", [lambda data: data[:40], lambda data: data[:10] + b"\xff" * 40, bytes.upper]
)
def test_damaged_gzip_is_one_sentence(tmp_path, damage):
    path = tmp_path / "cuts.jsonl.gz"
    data = gzip.compress(json.dumps(cut("r.wav", 0.0, 2.0, supervision(0.0, 2.0, "a"))).encode())
    path.write_bytes(damage(data))
    with pytest.raises(
        ManifestError, match=r"cuts\.jsonl\.gz: cannot be read as gzip \(.+\); write it again"
    ):
        build(tmp_path)


def test_a_manifest_or_another_file_is_not_taken_for_a_corpus(write_audio, tmp_path):
    (tmp_path / "m.jsonl").write_text('{"audio_filepath": "a.wav", "duration": 1, "text": "a"}\n')
    with pytest.raises(ManifestError, match="a manifest already"):
        build(tmp_path / "m.jsonl")
    with pytest.raises(ManifestError, match="no list of utterances"):
        build(write_audio("a.wav"))
    with pytest.raises(ManifestError, match=r"no text lies beside its 1 recording; write a\.txt"):
        build(tmp_path)
    with pytest.raises(ManifestError, match="no such file or folder"):
        build(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ManifestError, match="holds no recording"):
        build(tmp_path / "empty")


def test_progress_is_told_every_recording(write_audio, tmp_path):
    for name in "abc":
        write_audio(f"{name}.wav", 0.1).with_suffix(".txt").write_text("hi")
    told = []
    build(tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_speechocean762_as_kaldi_directory_with_audio_re_encoded(corpora):
    built = build(corpora / "speechocean762" / "train")
    assert (len(built.utterances), built.problems) == (2500, [])
    assert len({one.speaker for one in built.utterances}) == 125
    assert sum(one.duration for one in built.utterances) / 3600 == pytest.approx(2.876, abs=0.001)
    assert built.utterances[0].text == "WE CALL IT BEAR"


def test_ljspeech_with_most_of_its_audio_absent(corpora):
    built = build(corpora / "ljspeech" / "LJSpeech-1.1")
    assert (len(built.utterances), len(built.problems)) == (385, 13100 - 385)
