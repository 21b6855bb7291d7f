"""English, as far as messages need it."""


def counted(number: int, noun: str) -> str:
    """``1 batch``, ``2 batches``."""
    plural = f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
