"""Jinja2's sandbox for a unit's template, which also counts what the template takes.

Whatever can repeat or grow passes through here, by the hooks that Jinja2 has for it.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from deploy.unit import template_budget
from deploy.unit.template_budget import Budget
from deploy.unit.template_files import Folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_GLOBALS = ("dict", "namespace", "range")


class Sandbox(ImmutableSandboxedEnvironment):
    """An environment that fills in one template, once; `template_budget` has the bounds."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, folder: Path) -> None:
        self._budget = Budget()
        super().__init__(
            undefined=jinja2.StrictUndefined,
            loader=Folder(folder),
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            finalize=self._budget.written,
        )
        self.globals = {name: self.globals[name] for name in _GLOBALS}
        self.filters = {name: self._checked(each) for name, each in self.filters.items()}
        formatted = self.filters["format"]
        self.filters |= {"_turns": self._turns, "_kept": _kept}
        self.filters["format"] = lambda text, *args, **named: formatted(
            template_budget.check_format(text), *args, **named
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
            template_budget.check_format(value.__self__)
        return wrapped

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute; what a product or a power would be is judged before it is made."""
        template_budget.check_operands(operator, left, right)
        self._budget.step()
        return _kept(super().call_binop(context, operator, left, right))

    def get_template(self, *args: Any, **named: Any) -> jinja2.Template:
        """Load what is included, imported or extended."""
        self._budget.step()
        return super().get_template(*args, **named)

    def _turns(self, iterable: Iterable[Any]) -> Iterator[Any]:
        for item in iterable:
            self._budget.step()
            yield item

    def _checked(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Give the function with its arguments and its result judged."""

        @functools.wraps(function)
        def call(first: Any, *args: Any, **named: Any) -> Any:
            self._budget.step()
            template_budget.check(first, *args, *named.values())
            template_budget.check_arguments(*args, *named.values())
            return _kept(function(first, *args, **named))

        return call


def _kept(value: Any) -> Any:
    template_budget.check(value)
    return value
