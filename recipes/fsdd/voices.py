"""Digits spoken by the synthetic voices that Debian packages, as further speakers to train on.

Six people recorded the corpus, too few to understand a seventh. The voices of espeak-ng (accents times voice
variants), flite and festival differ in vocal tract, pitch, pace and accent, and speak a string of digits in
one breath, where in joined recordings no sound influences the next.
"""

from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from prepare import DIGITS, DIGITS_PER_STRING, SAMPLE_RATE, write_flac

from asr.manifest import Utterance, write_manifest
from asr.synthesis import Manner, Voice, at_level, for_each, speak

STRINGS_PER_VOICE = 12

ESPEAK = {
    "en": "m1 m6 Andy Henrique Mike david iven4 norbert robert",
    "en-us": "f1 anika steph steph3 Nguyen ed john pablo victor",
    "en-gb-scotland": "m2 m7 Denis Jacky Storm f5 klatt paul",
    "en-gb-x-gbclan": "f2 Alicia grandma grandpa adam edward marcelo pedro",
    "en-gb-x-rp": "m3 m8 Diogo Lee antonio Gene2 Alicia belinda",
    "en-gb-x-gbcwmd": "f4 Andrea shelby Mario m3 gustave max quincy",
    "en-029": "m5 Alex Gene Michael benjamin iven2 michel rob",
    "en-us-nyc": "f5 belinda Annie f3 f2 aunty klatt2 f1",
}
"""Accents of espeak-ng, and the variants that speak with each: those that sound like somebody, so no
whispers, robots or monsters, and none of those held out."""

PAUSES = (0.0, 0.3, 1.0)
"""How likely a comma follows a digit; each string draws one of these."""


TRAINING = (
    *(Voice("espeak", f"{accent}+{name}") for accent, names in ESPEAK.items() for name in names.split()),
    *(Voice("flite", name) for name in ("awb", "slt", "kal", "kal16")),
    *(Voice("festival", name) for name in ("kal_diphone", "cmu_us_slt_arctic_hts")),
)
HELD_OUT = (
    *(Voice("espeak", name) for name in ("en-us+travis", "en-gb-scotland+linda", "en-029+sandro", "en+m4")),
    Voice("flite", "rms"),
    Voice("festival", "ked_diphone"),
)
"""Voices that no training hears, their espeak variants under no accent either: for samples and tests."""


def synthesise(output_dir: Path, *, seed: int = 1) -> Path:
    """Let every training voice speak the ten digits and twelve strings; 15 s on two cores, 40 min of speech.

    Returns:
        The manifest ``voices.jsonl``; the audio lies beside it in ``voices/``.

    Raises:
        AsrError: a synthesiser or one of its voices is not installed.
    """
    output_dir = Path(output_dir)
    speak_numbered = partial(_speak_all, folder=output_dir / "voices", seed=seed)
    utterances = list(chain.from_iterable(for_each(len(TRAINING), speak_numbered)))
    path = output_dir / "voices.jsonl"
    write_manifest(path, utterances)
    return path


def _speak_all(number: int, *, folder: Path, seed: int) -> list[Utterance]:
    voice = TRAINING[number]
    # A generator for each voice: what one says does not depend on when the others are done.
    rng = np.random.default_rng([seed, number])
    pace = rng.uniform(0.75, 1.1)
    utterances = []
    for position, (text, spoken) in enumerate(_draw_texts(rng)):
        manner = Manner(pace * rng.uniform(0.9, 1.1), int(rng.integers(35, 66)))
        waveform = at_level(speak(voice, spoken, SAMPLE_RATE, manner), rng.uniform(-22, -1))
        path = folder / voice.speaker / f"{position:02d}.flac"
        write_flac(path, waveform)
        utterances.append(Utterance(str(path), len(waveform) / SAMPLE_RATE, text, speaker=voice.speaker))
    return utterances


def _draw_texts(rng: np.random.Generator) -> list[tuple[str, str]]:
    """The ten digits, then strings: each as its transcript and as the synthesiser is to read it."""
    texts = [(digit, digit) for digit in DIGITS]
    for _ in range(STRINGS_PER_VOICE):
        words = rng.choice(DIGITS, size=rng.integers(*DIGITS_PER_STRING, endpoint=True)).tolist()
        commas = rng.random(len(words)) < rng.choice(PAUSES)
        spoken = " ".join(word + "," * comma for word, comma in zip(words, commas.tolist(), strict=True))
        texts.append((" ".join(words), spoken.rstrip(",")))
    return texts
