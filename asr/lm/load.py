"""A language model from a file of any kind."""

import os
from typing import TYPE_CHECKING

from asr.lm.kenlm_binary import KenlmModel, is_kenlm

if TYPE_CHECKING:
    from asr.lm.ngram import NGram


def load_language_model(path: str | os.PathLike[str]) -> "NGram | KenlmModel":
    """An ARPA file, plain or gzipped, a packed file, or KenLM's binary, told apart by their first bytes.

    Raises:
        LanguageModelError: the file is missing, damaged or of another kind; or KenLM's, and the package is missing.
    """
    if is_kenlm(path):
        return KenlmModel(path)
    # Compiled code is loaded with the model that needs it.
    from asr.lm.ngram import NGram

    return NGram.load(path)
