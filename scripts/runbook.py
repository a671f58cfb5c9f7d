"""The part of docs/runbook.md that is written from the code: kinds of errors, and all messages.

What a kind means is in the docstring of its class in `deploy/errors.py`.
"""

from __future__ import annotations

import ast
import inspect
import re
from html import escape
from typing import TYPE_CHECKING

import messages

if TYPE_CHECKING:
    from messages import Message, Messages

    from deploy.errors import DeployError

BEGIN, END = "<!-- messages:begin -->\n", "<!-- messages:end -->\n"
KINDS_MEAN = (
    "The exit code of a kind is that of a command that ends before its first change, or that makes "
    "none. After the first change the command ends with its report, and with the code of what is "
    "true of the fleet. What is tried again is tried for up to a minute. A release is marked on "
    "the host on which it failed."
)


def page(text: str) -> str:
    """Return docs/runbook.md with the messages between the marks."""
    found = messages.collect()
    rows = [_kind(name, kind) for name, kind in messages.KINDS.items()]
    parts = [
        f"## Kinds of errors\n\n{KINDS_MEAN}\n",
        "| kind | exit code | tried again | marks the release | what it is |",
        "|---|---|---|---|---|",
        *rows,
        "",
        "## Messages\n",
        _coverage(found),
    ]
    for name in sorted(found.groups, key=_place):
        group = found.groups[name]
        parts += [f"\n### {group.meaning['When']}\n"]
        parts += [f"**The fleet:** {group.meaning['Fleet']}\n"]
        parts += [f"**What to do:** {group.meaning['Do']}\n"]
        parts += ["| message | kind |", "|---|---|", *map(_row, sorted(group.messages))]
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + "\n" + "\n".join(parts) + "\n\n" + END + rest.partition(END)[2]


def _place(name: str) -> tuple[int, str]:
    """Where a package stands in the order of all, as the docstring of `deploy` has it."""
    text = ast.get_docstring(ast.parse((messages.DEPLOY / "__init__.py").read_text())) or ""
    order = re.findall(r"\w+", text.partition("errors, retry")[2].partition("\n\n")[0])
    top = name.partition("/")[0]
    return (order.index(top) if top in order else -1, name)


def _coverage(found: Messages) -> str:
    count = sum(len(group.messages) for group in found.groups.values())
    written = found.raised - len(found.computed)
    return (
        f"{count} lines of messages, by when they appear. Every error whose text is written where "
        f"it is raised is listed ({written} of {found.raised} places in the code). The other "
        f"{len(found.computed)} pass on a text from elsewhere. Most of these are listed too, "
        "without a kind: they may be a part of a line, a finding of `inv check`, or a remark. "
        "Words of AWS, a host, systemd or a library within a message are not listed."
    )


def words_of(name: str) -> str:
    """A class's name as words: `lock lost` for LockLost."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower()


def _kind(name: str, kind: type[DeployError]) -> str:
    first = (inspect.getdoc(kind) or "").partition("\n\n")[0]
    meaning = " ".join(first.split()).replace("|", "\\|")
    again = "sometimes" if "may_pass" in inspect.signature(kind).parameters else _yes(kind.may_pass)
    flags = f"{again} | {_yes(kind.blames_release)}"
    return f"| {words_of(name)} | {kind.exit_code} | {flags} | {meaning} |"


def _yes(claim: bool) -> str:
    return "yes" if claim else "no"


def _row(message: Message) -> str:
    text = escape(message.text.strip(), quote=False).replace("|", "&#124;").replace("\n", " ")
    return f"| <code>{text}</code> | {words_of(message.kind)} |"
