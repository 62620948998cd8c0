"""Typed reading of the environment.

Every value comes from a variable, and a secret also from the file that `<NAME>_FILE` names, as
container platforms mount secrets. A variable that is set to nothing counts as not set.
"""

import json
import os
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ImproperlyConfigured

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})


class VariableMissing(ImproperlyConfigured):
    """The environment lacks a variable that has no default."""


class VariableInvalid(ImproperlyConfigured):
    """A variable holds something that cannot be read as what it stands for."""


def text(name: str, default: str | None = None) -> str:
    """Return the variable as it is.

    Raises:
        VariableMissing: if it is not set and there is no default.
    """
    value = os.environ.get(name, "")
    if value:
        return value
    if default is None:
        raise VariableMissing(f"Set {name} in the environment.")
    return default


def flag(name: str, *, default: bool) -> bool:
    """Return whether the variable says yes.

    Raises:
        VariableInvalid: if it says neither yes nor no.
    """
    value = os.environ.get(name, "").lower()
    if not value:
        return default
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise VariableInvalid(f"{name} must be 1 or 0, not {value!r}.")


def integer(name: str, default: int | None = None, *, minimum: int | None = None) -> int:
    """Return the variable as a whole number, at least `minimum`.

    Raises:
        VariableMissing: if it is not set and there is no default.
        VariableInvalid: if it is no whole number, or less than `minimum`.
    """
    value = text(name, None if default is None else str(default))
    try:
        number = int(value)
    except ValueError:
        raise VariableInvalid(f"{name} must be a whole number, not {value!r}.") from None
    if minimum is not None and number < minimum:
        raise VariableInvalid(f"{name} must be at least {minimum}, not {number}.")
    return number


def words(name: str, default: tuple[str, ...] = ()) -> list[str]:
    """Return the variable as a list; its items are separated by commas."""
    value = os.environ.get(name, "")
    if not value:
        return list(default)
    return [word.strip() for word in value.split(",") if word.strip()]


def path(name: str, default: Path | None = None) -> Path:
    """Return the variable as an absolute path.

    Raises:
        VariableMissing: if it is not set and there is no default.
    """
    return Path(text(name, None if default is None else str(default))).expanduser().absolute()


def url(name: str, default: str | None = None, *, schemes: tuple[str, ...]) -> SplitResult:
    """Return the variable as the parts of an address.

    The address may carry a password, so no message repeats it.

    Raises:
        VariableMissing: if it is not set and there is no default.
        VariableInvalid: if it is no address of one of `schemes`.
    """
    parts = urlsplit(text(name, default))
    if parts.scheme not in schemes:
        expected = " or ".join(f"{scheme}://" for scheme in schemes)
        raise VariableInvalid(f"{name} must be an address that begins with {expected}")
    return parts


def secret(name: str, default: str | None = None) -> str:
    """Return a secret from the variable, or from the file that `<name>_FILE` names.

    Raises:
        VariableMissing: if neither is set and there is no default, or if the file is empty.
        VariableInvalid: if both are set, or if the file cannot be read.
    """
    file_name = os.environ.get(f"{name}_FILE", "")
    if not file_name:
        value = os.environ.get(name, "")
        if value:
            return value
        if default is None:
            raise VariableMissing(f"Set {name}, or {name}_FILE to the file that holds it.")
        return default
    if os.environ.get(name):
        raise VariableInvalid(f"Set either {name} or {name}_FILE, not both.")
    try:
        value = Path(file_name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise VariableInvalid(f"{name}_FILE names {file_name}, which cannot be read.") from exc
    if not value:
        raise VariableMissing(f"{name}_FILE names {file_name}, which is empty.")
    return value


def mapping(name: str) -> dict[str, Any]:
    """Return a JSON object from the variable, or from the file that `<name>_FILE` names.

    It may hold keys, so no message repeats it. Nothing set is an empty object.

    Raises:
        VariableInvalid: if it is no JSON object, or as `secret` says.
    """
    try:
        value = json.loads(secret(name, "{}"))
    except json.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise VariableInvalid(f"{name} must be a JSON object.")
    return value
