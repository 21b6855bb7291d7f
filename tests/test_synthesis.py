"""Debian's synthesisers, really run."""

import numpy as np
import pytest
from conftest import tones

from asr.errors import AsrError
from asr.synthesis import Manner, Voice, at_level, check_programs, speak, trim

ONE_OF_EACH = [Voice("espeak", "en-gb+f2"), Voice("flite", "slt"), Voice("festival", "kal_diphone")]


@pytest.mark.usefixtures("synthesisers")
@pytest.mark.parametrize("voice", ONE_OF_EACH, ids=lambda voice: voice.engine)
def test_a_voice_speaks_at_its_pace(voice):
    slow, fast = (speak(voice, "seven two", 16000, Manner(pace)) for pace in (0.8, 1.25))
    assert 0.4 < len(fast) / 16000 < len(slow) / 16000 < 2.5
    assert np.abs(slow).max() > 0.05


@pytest.mark.usefixtures("synthesisers")
def test_a_voice_that_is_not_installed_names_the_packages():
    with pytest.raises(AsrError, match=r"festival-nobody: cannot speak .*apt install espeak-ng"):
        speak(Voice("festival", "nobody"), "one", 8000)


def test_a_missing_synthesiser_names_the_packages(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AsrError, match="espeak-ng, flite, text2wave: not installed; `apt install"):
        check_programs()
    with pytest.raises(AsrError, match=r"flite: not installed; `apt install"):
        speak(Voice("flite", "rms"), "one", 8000)


def test_silent_ends_are_trimmed():
    sound = tones(0.5, 8000) + 0.3
    waveform = np.concatenate([np.zeros(4000), sound, np.zeros(8000)]).astype(np.float32)
    trimmed = trim(waveform, 8000, keep=0.05)
    assert len(trimmed) == 4000 + 2 * 400
    assert np.array_equal(trimmed[400:-400], sound.astype(np.float32))
    assert len(trim(np.zeros(800, np.float32), 8000)) == 800


def test_levels_are_those_of_the_peak():
    assert np.abs(at_level(tones(0.5), -20)).max() == pytest.approx(0.1)
    assert not at_level(np.zeros(10, np.float32), -20).any()
