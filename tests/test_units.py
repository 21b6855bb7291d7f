"""Every kind of vocabulary goes round: text to ids and back, to a file and back; what it cannot write is named."""

import re
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import ConfigError, VocabularyError
from asr.settings import RecognizerSettings, build
from asr.text import TextSettings, Vocabulary, frames_needed, normalize
from asr.types import pronunciations_of
from asr.units import KINDS, build_vocabulary, load_vocabulary
from asr.units.dictionary import format_dictionary, parse_dictionary, read_dictionary
from asr.units.subwords import Subwords

TEXTS = [  # of AN4 and LibriSpeech
    "enter four five eight two one",
    "rubout g m e f three nine",
    "october twenty four nineteen seventy",
    "mister quilter is the apostle of the middle classes and we are glad to welcome his gospel",
    "nor is mister quilter's manner less interesting than his matter",
    "he tells us that at this festive season of the year with christmas and roast beef looming before us",
    "similes drawn from eating and its results occur most readily to the mind",
]
DICTIONARY = """;;; as CMU has it
A                    AH
A(2)                 EY
DON'T  D OW1 N T # a remark
RED R EH D
READ R EH D
READ(2) R IY D
!EXCLAMATION-POINT  EH K
<s> SIL
"""


def subwords(count: int = 60, **options) -> tuple[Vocabulary, TextSettings]:
    settings = TextSettings(units="subwords", num_subwords=count, **options)
    return build_vocabulary(TEXTS, settings), settings


@pytest.fixture
def phones(tmp_path) -> tuple[Vocabulary, TextSettings]:
    path = tmp_path / "words.dic"
    path.write_text(DICTIONARY)
    settings = TextSettings(units="phones", dictionary=str(path))
    return build_vocabulary([], settings), settings


@pytest.mark.parametrize("count", [40, 60, 110])
def test_texts_go_round_through_subwords_and_file(tmp_path, count):
    vocabulary, settings = subwords(count)
    assert len(vocabulary) == count
    vocabulary.save(tmp_path / "vocabulary.txt")
    loaded = load_vocabulary(tmp_path / "vocabulary.txt", settings)
    assert loaded == vocabulary
    for text in [*TEXTS, "gusts", "u", "a f"]:
        ids = loaded.encode(text, settings)
        assert loaded.decode(ids) == text
        assert ids == vocabulary.encode(text, settings)
        assert frames_needed(ids) <= frames_needed(text) + 1


@given(st.text(sorted(set("".join(TEXTS))), max_size=40))
def test_any_text_of_known_characters_goes_round(text):
    vocabulary, settings = _LEARNED
    assert vocabulary.decode(vocabulary.encode(text, settings)) == normalize(text, settings)


_LEARNED = subwords()


def test_subwords_are_those_of_sentencepiece(tmp_path):
    vocabulary, settings = subwords(90)
    (tmp_path / "texts").write_text("\n".join(TEXTS))
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "texts"), model_prefix=str(tmp_path / "m"), model_type="bpe", vocab_size=90,
        character_coverage=1.0, normalization_rule_name="identity", bos_id=-1, eos_id=-1, minloglevel=2,
    )  # fmt: skip
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "m.model"))
    for text in [*TEXTS, "u m n y h nine", "christmas classes", "gladdest of similes"]:
        ours = [vocabulary.symbols[label].replace(" ", "▁") for label in vocabulary.encode(text, settings)]
        # A text begins without a space: with us the mark of its first word is left out where it stands alone.
        assert ours == [
            piece for place, piece in enumerate(theirs.encode(text, out_type=str)) if place or piece != "▁"
        ]


def test_the_transcripts_of_an4_go_round(corpora):
    lines = (corpora / "an4/an4/etc/an4_train.transcription").read_text().splitlines()
    texts = [re.sub(r"<s>|</s>|\(.*\)", "", line).strip() for line in lines]
    settings = TextSettings(units="subwords", num_subwords=150)
    dictionary = TextSettings(units="phones", dictionary=str(corpora / "an4/an4/etc/an4.dic"))
    pieces, sounds = build_vocabulary(texts, settings), build_vocabulary(texts, dictionary)
    for text in texts:
        assert pieces.decode(pieces.encode(text, settings)) == text.lower()
        assert sounds.decode(sounds.encode(text, dictionary)) == sounds.spoken(text.lower())
        assert len(pieces.encode(text, settings)) <= len(text)


def test_characters_that_no_subword_has_are_refused_skipped_or_replaced():
    vocabulary, settings = subwords()
    with pytest.raises(VocabularyError, match=r"'é' \(U\+00E9"):
        vocabulary.encode("café", settings)
    skipping, replacing = subwords(unknown="skip"), subwords(unknown="replace")
    assert skipping[0].decode(skipping[0].encode("é mé a", skipping[1])) == "m a"
    assert replacing[0].decode(replacing[0].encode("mé a", replacing[1])) == "m� a"


def test_how_many_subwords_there_may_be_is_said():
    with pytest.raises(VocabularyError, match=r"num_subwords=10 is too few: the characters .* are 25"):
        subwords(10)
    with pytest.raises(VocabularyError, match=r"num_subwords=9000 cannot be learned .*; take fewer"):
        subwords(9000)
    with pytest.raises(VocabularyError, match=r"U\+2581"):
        build_vocabulary(["a ▁b"], TextSettings(units="subwords", punctuation="keep"))


@pytest.mark.parametrize(
    ("symbols", "wrong"), [(["a", " ab", "b"], " ab"), (["a", " ", "a b", "b"], "a b"), ([" ", ""], "")]
)
def test_symbols_that_are_no_subwords_are_refused(symbols, wrong):
    with pytest.raises(VocabularyError, match=f"'{wrong}' is no piece"):
        Subwords(symbols)


def test_words_are_spelled_so_that_they_are_the_text_side_by_side(phones):
    for vocabulary, settings in (subwords(), phones, (Vocabulary.build(TEXTS), TextSettings())):
        tokens = ["A,", "é", "red", "a"]
        spelled = vocabulary.spell(tokens, settings)
        assert [bool(labels) for labels in spelled] == [True, False, True, True]
        assert [label for labels in spelled for label in labels] == vocabulary.encode("a red a", settings)


def test_phones_are_the_first_way_to_say_a_word(phones):
    vocabulary, settings = phones
    ids = vocabulary.encode("A red: don't", settings)
    assert "|".join(vocabulary.symbols[label] for label in ids) == " AH| | R| EH| D| | D| OW1| N| T"
    assert vocabulary.decode(ids) == vocabulary.spoken("a red don't") == "AH R EH D D OW1 N T"
    assert vocabulary.rate == "PER"
    ways = pronunciations_of(vocabulary.symbols)
    assert [len(ways[word]) for word in ("a", "red", "read")] == [2, 1, 2]
    assert ways["red"][0] == ways["read"][0]
    assert set(ways) == {"a", "don't", "red", "read"}


def test_a_word_that_the_dictionary_lacks_is_named_with_the_file(phones):
    vocabulary, settings = phones
    with pytest.raises(VocabularyError, match=r"'a cat' has 'cat', which .*words.dic lacks"):
        vocabulary.encode("a cat", settings)
    assert vocabulary.spoken("a cat") == "AH cat"
    skipping = TextSettings(units="phones", dictionary=settings.dictionary, unknown="skip")
    assert vocabulary.encode("a cat", skipping) == vocabulary.encode("a", settings)


def test_phones_keep_their_dictionary(phones, tmp_path):
    vocabulary, settings = phones
    folder = tmp_path / "model"
    folder.mkdir()
    vocabulary.save(folder / "vocabulary.txt")
    Path(settings.dictionary).unlink()
    assert load_vocabulary(folder / "vocabulary.txt", settings) == vocabulary
    (folder / "dictionary.txt").write_text("a XX\n")
    with pytest.raises(VocabularyError, match=r"dictionary.txt: its phone XX is no symbol"):
        load_vocabulary(folder / "vocabulary.txt", settings)
    (folder / "dictionary.txt").unlink()
    with pytest.raises(VocabularyError, match=r"dictionary.txt: the dictionary cannot be read"):
        load_vocabulary(folder / "vocabulary.txt", settings)


def test_dictionaries_go_round_and_say_what_is_wrong_with_them(tmp_path):
    words = parse_dictionary(DICTIONARY, "a file", TextSettings())
    assert parse_dictionary(format_dictionary(words), "a file", None) == words
    with pytest.raises(VocabularyError, match=r"a file:2: 'B' has no phones"):
        parse_dictionary("A AH\nB\n", "a file", None)
    with pytest.raises(VocabularyError, match="a file: holds no word"):
        parse_dictionary(";;; nothing\n", "a file", None)
    with pytest.raises(VocabularyError, match=r"none.dic: the dictionary cannot be read"):
        read_dictionary(tmp_path / "none.dic")


def test_a_label_is_a_whole_text(tmp_path):
    settings = TextSettings(units="labels")
    vocabulary = build_vocabulary(["Turn left!", "stop", "turn left"], settings)
    assert vocabulary.symbols == ("<blank>", "stop", "turn left")
    assert vocabulary.decode(vocabulary.encode("TURN LEFT", settings)) == "turn left"
    vocabulary.save(tmp_path / "vocabulary.txt")
    assert load_vocabulary(tmp_path / "vocabulary.txt", settings) == vocabulary
    with pytest.raises(VocabularyError, match="'go' is none of the labels"):
        vocabulary.encode("go", settings)
    with pytest.raises(VocabularyError, match="1 label"):
        build_vocabulary(["stop"], settings)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_vocabulary_is_a_sentence(tmp_path, kind):
    settings = TextSettings(units=kind, dictionary="words.dic")
    (tmp_path / "dictionary.txt").write_text("a AH\n")
    for content, reason in (
        (b"", "line 1 must be"),
        (b"<blank>\n\xff", "cannot be read"),
        (b"<blank>\na\na", "twice"),
    ):
        (tmp_path / "vocabulary.txt").write_bytes(content)
        with pytest.raises(VocabularyError, match=reason):
            load_vocabulary(tmp_path / "vocabulary.txt", settings)


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ConfigError, match=r"units='odd' is not one of"):
        TextSettings(units="odd")
    with pytest.raises(ConfigError, match=r"give text\.dictionary=FILE"):
        TextSettings(units="phones")
    with pytest.raises(ConfigError, match=r"num_subwords=1 must be"):
        TextSettings(num_subwords=1)
    with pytest.raises(ConfigError, match="unknown=replace is not for"):
        TextSettings(units="labels", unknown="replace")
    with pytest.raises(ConfigError, match=r"model\.kind=ctc does not go with text\.units=labels"):
        build(RecognizerSettings, {"text": {"units": "labels"}})
    with pytest.raises(ConfigError, match=r"model\.kind=classifier does not go with text\.units=characters"):
        build(RecognizerSettings, {"model": {"kind": "classifier"}})
