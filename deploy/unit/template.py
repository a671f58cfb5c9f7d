"""A Jinja2 template filled in: within a sandbox, within bounds, from its own folder alone.

A template comes with a project's settings, which are not always one's own: it may compute a
unit's text, and nothing else. It reaches no Python internals and no file outside its folder.
"""

from __future__ import annotations

import difflib
import functools
import re
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from deploy.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

MOST_CHARACTERS = 1_000_000
"""In a template's file, and in all that it writes: a unit file has about 2,000."""
MOST_STEPS = 20_000
"""Loop turns, calls, filters, includes and values written, in all."""
MOST_OPERAND = 16_384
"""Characters or items of a value that something is computed with; also the largest argument."""
MOST_NUMBER = 2**63
_GLOBALS = ("dict", "namespace", "range")


class _Exceeded(Exception):
    """A template wants more than the bounds allow."""


def fill(path: Path, values: Mapping[str, object]) -> str:
    """Fill in the template; BadInput names it with its line and says what is wrong."""
    source = _read(path)
    environment = _Bounded(path.parent)
    try:
        return environment.from_string(source).render(values)
    except jinja2.TemplateSyntaxError as error:
        place = error.filename or path
        raise BadInput(f"template {place}:{error.lineno}: {error.message}") from error
    except Exception as error:
        unknown = re.match(r"'(\w+)' is undefined", str(error))
        near = difflib.get_close_matches(unknown[1], [*values], 1) if unknown else []
        hint = f"; did you mean {near[0]}?" if near else ""
        known = f"; known are {', '.join(sorted(values))}" if unknown and not near else ""
        problem = str(error) or type(error).__name__
        raise BadInput(f"template {_place(error, path)}: {problem}{hint}{known}") from error


def _read(path: Path) -> str:
    """Give a template's text; a device, a pipe and a file without an end are refused."""
    try:
        if path.exists() and not path.is_file():
            raise BadInput(f"template {path}: it is not a file")
        with path.open(encoding="utf-8") as file:
            source = file.read(MOST_CHARACTERS + 1)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise BadInput(f"template {path}: it cannot be read: {error}") from error
    if len(source) > MOST_CHARACTERS:
        raise BadInput(f"template {path}: it has more than {MOST_CHARACTERS} characters")
    return source


def _place(error: BaseException, path: Path) -> str:
    """Give `file:line` of the template, or of what it includes, where an error was raised."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename == "<template>":
            return f"{path}:{frame.lineno}"
        if path.parent in Path(frame.filename).parents and "{" not in frame.filename:
            return f"{frame.filename}:{frame.lineno}"
    return str(path)


class _Folder(jinja2.BaseLoader):
    """Loads what a template includes, from its own folder and those below it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        """Read the file by this name; a link that leads out of the folder is refused too."""
        del environment
        place = self.folder / template
        if not place.resolve().is_relative_to(self.folder.resolve()):
            raise BadInput(f"{template!r} is not below the template's folder; copy it there")
        if not place.is_file():
            raise jinja2.TemplateNotFound(template)
        return _read(place), str(place), lambda: True


class _Bounded(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, which also counts: one environment fills in one template, once.

    Whatever can repeat or grow passes through here, by the hooks that Jinja2 has for it.
    """

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, folder: Path) -> None:
        super().__init__(
            undefined=jinja2.StrictUndefined,
            loader=_Folder(folder),
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            finalize=self._written,
        )
        self._steps = self._characters = 0
        self.globals = {name: self.globals[name] for name in _GLOBALS}
        self.filters = {name: self._checked(each) for name, each in self.filters.items()}
        formatted = self.filters["format"]
        self.filters |= {"_turns": self._turns, "_kept": self._kept}
        self.filters["format"] = lambda text, *args, **named: formatted(
            self._plain(text), *args, **named
        )

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """Count the turns of each loop, and judge what is kept from one turn to the next."""
        tree = super()._parse(source, name, filename)
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, "_turns", [], [], None, None, lineno=loop.lineno)
        for kept in tree.find_all(nodes.Assign):
            kept.node = nodes.Filter(kept.node, "_kept", [], [], None, None, lineno=kept.lineno)
        return tree

    def call(self, context: Any, function: Any, /, *args: Any, **named: Any) -> Any:
        """Call a function, a macro or a method."""
        call = functools.partial(super().call, context)
        return self._checked(call)(function, *args, **named)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Judge a text whose `format` or `format_map` is asked for; None for another value."""
        wrapped = super().wrap_str_format(value)
        if wrapped is not None:
            self._plain(value.__self__)
        return wrapped

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute; what a product or a power would be is judged before it is made."""
        if operator == "%" and isinstance(left, str):
            self._plain(left)
        if operator == "**":
            self._within(isinstance(right, (int, float)) and abs(right) <= 64, "a power")  # noqa: PLR2004
        if operator == "*" and any(hasattr(each, "__len__") for each in (left, right)):
            sizes = [len(each) if hasattr(each, "__len__") else each for each in (left, right)]
            self._within(sizes[0] * sizes[1] <= MOST_OPERAND, "a repetition")
        self._step()
        self._fits(left, right)
        result = super().call_binop(context, operator, left, right)
        return self._kept(result)

    def get_template(self, *args: Any, **named: Any) -> jinja2.Template:
        """Load what is included, imported or extended."""
        self._step()
        return super().get_template(*args, **named)

    def _step(self) -> None:
        self._steps += 1
        self._within(self._steps <= MOST_STEPS, f"more than {MOST_STEPS} steps")

    def _turns(self, iterable: Iterable[Any]) -> Iterator[Any]:
        for item in iterable:
            self._step()
            yield item

    def _kept(self, value: Any) -> Any:
        self._fits(value)
        return value

    def _checked(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Give the function with its arguments and its result judged."""

        @functools.wraps(function)
        def call(first: Any, *args: Any, **named: Any) -> Any:
            self._step()
            self._fits(first, *args, *named.values())
            for value in (*args, *named.values()):
                if isinstance(value, int):
                    self._within(abs(value) <= MOST_OPERAND, "an argument")
            result = function(first, *args, **named)
            self._fits(result)
            return result

        return call

    def _fits(self, *values: Any) -> None:
        """Judge values with all that they hold: shared parts count each time."""
        left, waiting = MOST_OPERAND, list(values)
        while waiting:
            value = waiting.pop()
            if isinstance(value, (list, tuple, dict, set)):
                waiting += value
                waiting += value.values() if isinstance(value, dict) else ()
            elif isinstance(value, int):
                self._within(abs(value) <= MOST_NUMBER, "a number")
            left -= len(value) if isinstance(value, (str, bytes)) else 1
            self._within(left >= 0, "a value")

    def _plain(self, text: str) -> str:
        """Judge a format: a width in it can ask for any number of characters."""
        self._fits(text)
        self._within(not re.search(r"\d{5}|\*|\{[^}]*\{", str(text)), "a format's width")
        return text

    def _written(self, value: Any) -> Any:
        """Count what is written; a list or an object has no form that a unit could want."""
        self._step()
        if not isinstance(value, (str, int, float, jinja2.Undefined, type(None))):
            raise _Exceeded(f"a {type(value).__name__} cannot be written; write its parts")
        self._characters += len(value) if isinstance(value, str) else 20
        self._within(self._characters <= MOST_CHARACTERS, "what it writes")
        return value

    @staticmethod
    def _within(holds: bool, what: str) -> None:
        if not holds:
            raise _Exceeded(f"{what}: more than a unit's template may take")
