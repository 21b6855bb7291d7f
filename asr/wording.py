"""English, as far as messages need it."""


def counted(number: int, noun: str) -> str:
    """``1 batch``, ``2 batches``."""
    plural = f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def printable(text: str) -> str:
    """The text in one line; what would move a cursor, or is no character, is escaped."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def reason(error: object) -> str:
    """The short cause out of a library's message, without the path that we name ourselves."""
    # FFmpeg's errors have it too, and only some of them are OSErrors.
    if cause := getattr(error, "strerror", None):
        return str(cause)
    return str(error).rsplit(": ", 1)[-1].strip().rstrip(".") or "unknown reason"


def file_trouble(error: OSError) -> str:
    """The sentence for what nobody nearer to the file has told better."""
    place = printable(str(error.filename or "standard output or a file"))
    return f"{place}: {reason(error)}; check the path, its permissions and the disk."
