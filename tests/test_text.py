import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import ConfigError, VocabularyError
from asr.text import BLANK, UNKNOWN, TextSettings, Vocabulary, normalize

LINGALA = "mósωngώsώ ngá pórá"
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Hello,   WORLD! ", "hello world"),
        ("don't", "don't"),
        ("twenty-one", "twenty one"),
        ("Съешь ЕЩЁ этих мягких булок!", "съешь ещё этих мягких булок"),
        ("¿Qué?\t«Sí»\n", "qué sí"),
        ("İstanbul", "i̇stanbul"),
        ("ΟΔΟΣ", "οδος"),
        ("5 € + 3 °C", "5 3 c"),
        ("क्या है?", "क्या है"),
        ("ทำไม", "ทำไม"),
        ("a\u00a0b\u2028c", "a b c"),
        ("...", ""),
    ],
)
def test_normalize(text, expected):
    assert normalize(text) == expected


def test_tones_are_letters_in_whatever_form_they_come():
    composed, decomposed = (unicodedata.normalize(form, LINGALA) for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert normalize(decomposed) == normalize(composed) == composed
    # ɛ́ has no composed form: its mark stays, as a symbol of its own.
    assert normalize("LƐ\u0301KƐ\u0301") == "lɛ\u0301kɛ\u0301"


def test_case_and_punctuation_can_be_kept():
    assert normalize("It's, OK.", TextSettings(case="keep", punctuation="keep")) == "It's, OK."
    assert normalize("It's, OK.", TextSettings(case="upper")) == "IT'S OK"
    assert normalize("ǃXóõ don’t", TextSettings(keep_characters="’")) == "ǃxóõ don’t"


@given(ANY_TEXT, st.sampled_from(["lower", "keep"]), st.sampled_from(["remove", "keep"]))
def test_normalize_twice_is_normalize_once(text, case, punctuation):
    settings = TextSettings(case=case, punctuation=punctuation)
    once = normalize(text, settings)
    assert normalize(once, settings) == once
    assert once == " ".join(once.split())
    assert unicodedata.is_normalized("NFC", once)


@given(ANY_TEXT.filter(normalize))
def test_decode_inverts_encode_on_the_texts_the_vocabulary_was_built_of(text):
    vocabulary = Vocabulary.build([text])
    ids = vocabulary.encode(text)
    assert vocabulary.decode(ids) == normalize(text)
    assert all(0 < index < len(vocabulary) for index in ids)


@pytest.mark.parametrize("text", [LINGALA, "съешь ещё этих мягких булок", "كتاب", "中文 字"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_any_script_goes_round_trip_through_symbols_and_file(tmp_path, text, form):
    vocabulary = Vocabulary.build([text])
    vocabulary.save(tmp_path / "vocabulary.txt")
    loaded = Vocabulary.load(tmp_path / "vocabulary.txt")
    assert loaded == vocabulary
    assert loaded.decode(loaded.encode(unicodedata.normalize(form, text))) == unicodedata.normalize(
        "NFC", text
    )


def test_vocabulary_is_the_blank_then_the_characters_by_code_point():
    vocabulary = Vocabulary.build(["b a", "C"])
    assert vocabulary.symbols == (BLANK, " ", "a", "b", "c")
    assert vocabulary.encode("A b") == [2, 1, 3]
    assert vocabulary.decode([2, 0, 1, 0, 3]) == "a b"
    assert len(vocabulary) == 5
    assert "a" in vocabulary
    assert "z" not in vocabulary


@given(st.lists(st.characters(exclude_categories=["Cs", "Cc", "Z"]), unique=True, min_size=1))
def test_a_saved_vocabulary_keeps_every_id(tmp_path_factory, symbols):
    path = tmp_path_factory.mktemp("vocabulary") / "vocabulary.txt"
    vocabulary = Vocabulary([*symbols, " "])
    vocabulary.save(path)
    assert Vocabulary.load(path).symbols == vocabulary.symbols


def test_unknown_characters_are_an_error_that_names_them():
    vocabulary = Vocabulary.build(["abc"])
    with pytest.raises(VocabularyError, match=r"'é' \(U\+00E9 LATIN SMALL LETTER E WITH ACUTE\)"):
        vocabulary.encode("abé")
    assert vocabulary.unknown_characters("xaybx") == ["x", "y"]


def test_unknown_characters_can_be_skipped_or_replaced():
    skip, replace = TextSettings(unknown="skip"), TextSettings(unknown="replace")
    assert Vocabulary.build(["abc"], skip).encode("abé", skip) == [1, 2]
    vocabulary = Vocabulary.build(["abc"], replace)
    assert vocabulary.decode(vocabulary.encode("abé", replace)) == "ab" + UNKNOWN


def test_vocabularies_that_make_no_sense_are_refused(tmp_path):
    with pytest.raises(VocabularyError, match="'a' twice"):
        Vocabulary(["a", "b", "a"])
    with pytest.raises(VocabularyError, match="'ab' is not one character"):
        Vocabulary(["ab"])
    with pytest.raises(VocabularyError, match="no character"):
        Vocabulary.build(["", "...", " "])
    (tmp_path / "v.txt").write_text("a\nb\n")
    with pytest.raises(VocabularyError, match="line 1 must be <blank>"):
        Vocabulary.load(tmp_path / "v.txt")
    with pytest.raises(VocabularyError, match="cannot be read"):
        Vocabulary.load(tmp_path / "none.txt")


@pytest.mark.parametrize("setting", ["case", "punctuation", "unknown"])
def test_a_setting_out_of_its_choices_is_refused(setting):
    with pytest.raises(ConfigError, match=rf"text\.{setting}='odd' is not one of"):
        TextSettings(**{setting: "odd"})


def test_the_typographic_apostrophe_is_the_apostrophe():
    assert normalize("Don’t!") == "don't"
    assert normalize("Don’t!", TextSettings(keep_characters="’")) == "don’t"
