"""A text in the code as a reader of the runbook sees it: with a word for each value in it."""

from __future__ import annotations

import ast


def template(node: ast.AST) -> str:
    """Return a text of the code with placeholders; empty where it is none."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(map(template, parts))
        case ast.FormattedValue(value=ast.Name(id="DETAIL")):
            return ""  # how far the line is indented
        case ast.FormattedValue(value=value):
            return f"<{_placeholder(value).lower().replace('_', ' ')}>"
    return ""


NAMELESS = {"name", "value", "id", "args", "text"}
"""Attributes of which the owner says more."""
ANSWERS = {"place": "file:line", "nearest": "hint"}
"""What some functions return is known by their names."""


def _placeholder(node: ast.AST) -> str:
    """A word for a value that a text has in it."""
    match node:
        case ast.Name(id=name) if name not in ANSWERS:
            return name.strip("_")
        case ast.Attribute(attr="strerror"):
            return "reason"
        case ast.Attribute(attr=name) if name not in NAMELESS:
            return name.strip("_")
        case ast.Call(func=ast.Attribute(attr="command"), args=[ast.Constant(value=str(verb)), *_]):
            return f"inv {verb}"
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) | ast.Name(id=name) if (
            name in ANSWERS
        ):
            return ANSWERS[name]
    inner = _inner(node)
    return _placeholder(inner) if inner else "…"


def _inner(node: ast.AST) -> ast.AST | None:
    """What a value is made of, in the main; None where nothing has a name."""
    match node:
        case (
            ast.Call(args=[inner, *_])
            | ast.Call(func=inner)
            | ast.Attribute(value=inner)
            | ast.Subscript(value=inner)
            | ast.Starred(value=inner)
            | ast.GeneratorExp(generators=[inner, *_])
            | ast.ListComp(generators=[inner, *_])
            | ast.comprehension(iter=inner)
            | ast.BinOp(left=inner)
            | ast.BoolOp(values=[inner, *_])
            | ast.IfExp(body=inner)
        ):
            return inner
    return None
