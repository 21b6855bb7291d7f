"""What can go wrong, as one tree: catch ``AsrError`` for all of it.

    AsrError
    ├── AudioError           a recording that cannot be read or used
    ├── ManifestError        a line of a manifest, or a corpus layout, that makes no sense
    ├── VocabularyError      a character that the model has no symbol for
    ├── ConfigError          a setting that is unknown or out of range
    ├── CheckpointError      a model directory that is incomplete or of another format
    ├── DecoderError         scores that cannot be decoded
    ├── LanguageModelError   a language model that cannot be read
    ├── OutputError          a place that results cannot be written to
    ├── DownloadError        a corpus that cannot be fetched from its home
    └── WorkerError          a process of a training on several that was lost

Every message is one sentence that names the file, the reason and the remedy, fit to be printed as it is.
"""


class AsrError(Exception):
    """The root of every error that this package raises on purpose."""


class AudioError(AsrError):
    """A recording cannot be read or used."""


class ManifestError(AsrError):
    """A manifest line or a corpus layout makes no sense."""


class VocabularyError(AsrError):
    """A text holds a character that the vocabulary lacks."""


class ConfigError(AsrError):
    """A setting is unknown or out of range."""


class CheckpointError(AsrError):
    """A model directory is incomplete, damaged or of another format."""


class DecoderError(AsrError):
    """Scores cannot be decoded: wrong shape, not finite, another vocabulary."""


class LanguageModelError(AsrError):
    """A language model cannot be read or does not fit."""


class OutputError(AsrError):
    """Results cannot be written where they should go."""


class DownloadError(AsrError):
    """A corpus cannot be fetched from its home, or is not what its home publishes."""


class WorkerError(AsrError):
    """Another process of a training on several was lost, or has not come."""
