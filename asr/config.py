"""``conf/`` and the user's overrides to ``Settings``: Hydra composes, we check each key and name the nearest.

Hydra's own parser would want ``+`` before a setting that no file spells out; here every field of ``Settings``
may be given, and nothing else.
"""

import dataclasses
import functools
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from asr.errors import ConfigError
from asr.settings import Settings, build, nearest


def compose(overrides: Sequence[str] = ()) -> Settings:
    """The settings of a training: defaults, then the recipe, then each ``key=value`` or ``group=choice``.

    Raises:
        ConfigError: an override is misspelt, a choice does not exist, a value is of another type.
    """
    checked = [_check(override) for override in overrides]
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            composed = hydra_compose("config", checked)
            values = OmegaConf.to_container(composed, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(f"{' '.join(overrides)}: {str(error).splitlines()[0]}") from None
    return build(Settings, typing.cast(dict[str, Any], values))


def conf_dir() -> Path:
    """The Hydra tree: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def choices(group: str) -> list[str]:
    """The names that ``group=`` takes."""
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


def groups() -> list[str]:
    """The folders of ``conf/``, one a concern."""
    return sorted(path.name for path in conf_dir().iterdir() if path.is_dir())


def _check(override: str) -> str:
    """The override in Hydra's own spelling, once its key is known to exist."""
    key, equals, value = override.partition("=")
    if not equals:
        raise ConfigError(f"{override!r} is no setting; write key=value, as in trainer.max_epochs=20.")
    if key in groups():
        if value not in choices(key):
            raise ConfigError(f"{override}: there is no such choice{nearest(value, choices(key), f'{key}=')}")
        return override
    if key not in setting_keys():
        raise ConfigError(f"{key} is no setting{nearest(key, [*setting_keys(), *groups()])}")
    # ++ sets a key whether or not a file has spelt it out.
    return f"++{key}={_quoted(value) if _is_text(setting_kinds()[key], value) else value}"


def _is_text(kind: Any, value: str) -> bool:
    return kind is str or (kind == str | None and value != "null")


def _quoted(value: str) -> str:
    """Text as it is: Hydra's grammar allows a path no bracket, comma, apostrophe or letter beyond ASCII."""
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value
    return QuotedString(value, Quote.single).with_quotes()


def setting_keys() -> tuple[str, ...]:
    """Every setting by its dotted name."""
    return tuple(setting_kinds())


@functools.cache
def setting_kinds() -> dict[str, Any]:
    """Every setting by its dotted name, with the type of its value."""
    return dict(_walk(Settings, ""))


def _walk(cls: type, prefix: str) -> typing.Iterator[tuple[str, Any]]:
    kinds = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        kind = kinds[field.name]
        if dataclasses.is_dataclass(kind):
            yield from _walk(typing.cast(type, kind), f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", kind
