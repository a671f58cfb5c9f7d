"""What all settings share: how a key is checked, and the types of their values."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from deploy.unit import command
from deploy.unit.syntax import is_control

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
Words = Annotated[tuple[str, ...], Field(strict=False)]
Command = Annotated[
    str, AfterValidator(command.checked), Field(json_schema_extra={"pattern": command.PATTERN})
]


def _of_words(text: str) -> str:
    """Return the command; ValueError where it has no words, or a quote is open."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}; close the quote") from error
    if not (words and words[0]):
        raise ValueError("is empty; leave it out, or name the program")
    return text


Job = Annotated[Command, AfterValidator(_of_words)]
"""A command that ends by itself."""
FREE_TEXT = frozenset({"command", "environment", "fabric"})
"""Keys whose values may hold line breaks; `unit.rendering` refuses what systemd cannot say."""
GIVEN = frozenset({"name", "root", "fabric", "other_apps", "beside"})
"""Fields that are no keys of the file."""
A_KEY_ITSELF = "holds a private key itself; write that to a file, and the file's path here"
_PRIVATE_KEY = "PRIVATE KEY-----"


class Strict(BaseModel):
    """No unknown key, no silent conversion, no control character, no change after loading.

    What a key means stands below it; scripts/reference.py makes docs/configuration.md of it.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _printable(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse names, paths and addresses that a terminal would not show as they are."""
        if info.field_name not in FREE_TEXT:
            is_tags = info.field_name == "tags" and isinstance(value, dict)
            _refuse_controls([*value, *value.values()] if is_tags else value)
        return value


def _refuse_controls(value: object) -> None:
    for each in value if isinstance(value, (list, tuple)) else (value,):
        if isinstance(each, str) and is_private_key(each):
            raise ValueError(A_KEY_ITSELF)
        if isinstance(each, str) and any(map(is_control, each)):
            raise ValueError(f"must not hold a control character, as {each!r} does")


def is_private_key(text: str) -> bool:
    """Whether a text is a private key, which CI systems give where a path is meant.

    No message may show it.
    """
    return _PRIVATE_KEY in text
