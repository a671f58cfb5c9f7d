"""The messages of Changeover, read from its code: each with its kind, grouped by where it is made.

What a group means stands in the docstring of its package, below `Messages:`.
"""

from __future__ import annotations

import ast
import importlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from placeholders import template

from deploy import errors
from deploy.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
MEANING = ("When", "Fleet", "Do")
"""What a package's docstring says of its messages: when they appear, what is true of the fleet
then, and what to do."""

FINDINGS = {"problem", "warn"}
"""The methods with which `inv check` notes a finding: the first argument says what it is about."""
PROBLEMS = "ValueError"
"""What a setting's own check raises: pydantic's report has file, line and key before it."""
CHECKING = ("settings", "unit")
COMPOSING = {
    "aws/inventory", "aws/typed_names", "hooks/folder", "hooks/words", "hosts/lock/lease",
    "hosts/ownership", "hosts/refusals/login", "hosts/refusals/not_run",
    "hosts/refusals/unknown_key", "hosts/route/tunnels", "hosts/scripts/probe", "plan/capacity",
    "once/refusal",
    "plan/exclusion", "plan/fitness", "plan/preflight", "recovery/newest_run", "run/capacity_gate",
    "session/scaling", "survey/blame", "survey/foreign_targets",
    "survey/units/file_variables", "survey/units/occupied", "survey/units/ties",
    "checkup/doctor/group_advice", "checkup/doctor/host_findings", "checkup/doctor/listeners",
    "checkup/doctor/permissions", "checkup/doctor/units", "plan/advice",
}  # fmt: skip
"""Modules whose functions return or yield the lines of messages, which others raise."""
USAGE = "Exit"
"""What ends Invoke with a message: a wrong command line, exit code 2."""
FEWEST_WORDS = 4
"""A text of a composing module with fewer is a part of a line, or a name."""


@dataclass(frozen=True, order=True)
class Message:
    """A line that a person may read.

    Attributes:
        text: With placeholders for what varies: `<host>`.
        kind: The error that it is, by the class's name; empty for a finding.
    """

    text: str
    kind: str = ""


@dataclass
class Group:
    """The messages of a package, and of those in it that say nothing of their own.

    Attributes:
        name: Of the package.
        meaning: What its docstring says, by MEANING.
        messages: In the order of their texts.
    """

    name: str
    meaning: dict[str, str]
    messages: set[Message] = field(default_factory=set)


@dataclass
class Messages:
    """All that were found.

    Attributes:
        groups: By the package's folder.
        raised: How many places of the code raise an error of ours.
        computed: Those of them whose text is composed elsewhere: `file:line`.
    """

    groups: dict[str, Group]
    raised: int = 0
    computed: list[str] = field(default_factory=list)


def kinds() -> dict[str, type[DeployError]]:
    """Return every class of error, by its name: those of `deploy/errors.py` first."""
    found = {name: kind for name, kind in vars(errors).items() if _is_ours(kind)}
    others = [
        (path, node)
        for path in sorted(DEPLOY.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    ]
    known = 0
    while known < len(found):  # a kind of a kind may stand in a module before that one's
        known = len(found)
        for path, node in others:
            if node.name not in found and any(ast.unparse(base) in found for base in node.bases):
                module = ".".join(path.relative_to(DEPLOY.parent).with_suffix("").parts)
                found[node.name] = getattr(importlib.import_module(module), node.name)
    return found


def _is_ours(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, DeployError)


def meanings() -> dict[str, dict[str, str]]:
    """Return what each package's docstring says of its messages, by the package's folder."""
    found = {}
    for path in sorted(DEPLOY.rglob("__init__.py")):
        text = ast.get_docstring(ast.parse(path.read_text())) or ""
        if meaning := _meaning(text):
            found[path.parent.relative_to(DEPLOY).as_posix()] = meaning
    return found


def _meaning(docstring: str) -> dict[str, str]:
    body = docstring.partition("\nMessages:\n")[2].partition("\n\n")[0]
    parts = re.split(r"^ +(\w+): ", body, flags=re.MULTILINE)
    return {
        name: " ".join(text.split()) for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def collect() -> Messages:
    """Return the messages in deploy/."""
    groups = {name: Group(name, meaning) for name, meaning in meanings().items()}
    found = Messages(groups)
    for path in sorted(DEPLOY.rglob("*.py")):
        module = path.relative_to(DEPLOY).with_suffix("").as_posix()
        tree = ast.parse(path.read_text())
        messages = {*_raised(tree, module, found), *_others(tree, module)}
        if messages:
            group_of(module, groups).messages |= messages
    for group in groups.values():
        raised = {each.text for each in group.messages if each.kind}
        group.messages = {each for each in group.messages if each.kind or each.text not in raised}
    return found


def group_of(module: str, groups: dict[str, Group]) -> Group:
    """Return the group of the nearest package around a module that says what its messages mean."""
    for parent in Path(module).parents:
        if parent.as_posix() in groups and (parent.parts or "/" not in module):
            return groups[parent.as_posix()]
    raise AssertionError(f"deploy/{module}: no package around it says what its messages mean")


def _raised(tree: ast.AST, module: str, found: Messages) -> Iterator[Message]:
    """The lines of errors that are written where they are raised."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        name = node.func.id
        if name == USAGE and (text := template(node.args[0]) if node.args else ""):
            yield Message(text, "BadInput")
        if name in KINDS:
            texts = [*filter(_says_something, map(template, map(_each, node.args)))]
            found.raised += 1
            if not texts:
                found.computed.append(module)
            yield from (Message(text, name) for text in texts)


def _each(node: ast.expr) -> ast.expr:
    """What a starred generator of lines gives for each; any other argument itself."""
    is_many = isinstance(node, ast.Starred) and isinstance(node.value, ast.GeneratorExp)
    return node.value.elt if is_many else node  # type: ignore[attr-defined]


def _others(tree: ast.AST, module: str) -> Iterator[Message]:
    """Findings, problems of settings, and the lines that composing modules return or yield."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=name), args=[_, *texts]) if name in FINDINGS:
                yield from (Message(text) for each in texts[:1] if (text := template(each)))
            case ast.Raise(exc=ast.Call(func=ast.Name(id=name), args=[value])):
                if name == PROBLEMS and module.startswith(CHECKING) and (text := template(value)):
                    yield Message(text, "BadInput")
    if module in COMPOSING:
        yield from _composed(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and any(map(_is_error, ast.walk(node))):
            given = (each.value for each in ast.walk(node) if isinstance(each, ast.Assign))
            yield from (Message(text) for text in map(template, given) if _is_part(text))


def _composed(tree: ast.AST) -> Iterator[Message]:
    """All texts of a module that are long enough, and no docstring."""
    docstrings = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
    whole = (each for each in ast.walk(tree) if isinstance(each, ast.JoinedStr))
    parts = {id(part) for each in whole for part in ast.walk(each) if part is not each}
    for node in ast.walk(tree):
        text = template(node) if id(node) not in docstrings | parts else ""
        if _is_part(text):
            yield Message(text)


def _is_error(node: ast.AST) -> bool:
    """Whether an error is raised, or one of ours is made."""
    if isinstance(node, ast.Raise):
        return True
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS


def _is_part(text: str) -> bool:
    """Whether a text that is no error by itself may be one, or a part of one that says something.

    No program for a host, and no regular expression.
    """
    is_other = text.startswith((" ", ";")) or re.search(r"\n|\\|\[\^|\]\?", text)
    return len(text.split()) >= FEWEST_WORDS and not is_other and _says_something(text)


def _says_something(text: str) -> bool:
    """Whether a text has words of its own besides its placeholders."""
    return bool(re.search(r"\w{3}", re.sub("<[^>]*>", "", text)))


KINDS = kinds()
