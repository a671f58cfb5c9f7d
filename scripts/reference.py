#!/usr/bin/env python3
"""Writes the reference from the code: the commands' help, the settings, their schema, the messages.

Run it in the project's virtual environment, after a change of a setting or an option.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import runbook  # noqa: E402 - the clone is on the path only now
import settings_schema  # noqa: E402

from deploy.cli.options import EXAMPLES, option_of  # noqa: E402
from deploy.cli.tasks import namespace  # noqa: E402
from deploy.events import text as text_of_events  # noqa: E402
from deploy.settings import app, environment, health, rollout, verify  # noqa: E402
from deploy.settings.base import GIVEN, Strict  # noqa: E402

BEGIN, END = "<!-- reference:begin -->\n", "<!-- reference:end -->\n"

SECTIONS: tuple[tuple[str, str, type[Strict], str], ...] = (
    ("An app", "deploy.apps.<name>", app.App, "Each key can be given again under an "
     "environment's `apps:`. There it replaces the value from here; the keys of a mapping, such as "
     "`environment:`, are merged one by one."),
    ("Its health check", "deploy.apps.<name>.health", health.Health, ""),
    ("A smoke test", "deploy.apps.<name>.smoke[]", health.SmokeTest, ""),
    ("Smoke tests through the load balancer", "deploy.apps.<name>.smoke_through",
     health.SmokeThrough, "[Smoke tests](how-a-deploy-works.md#smoke-tests) has what they show."),
    ("Verification", "verify", verify.Verify, "Of an app, or of an environment for all of its "
     "apps."),
    ("An environment", "deploy.environments.<name>", environment.Environment, "`from:` names "
     "another file whose keys count as if they stood here. Keys that stand here win; mappings are "
     "merged key by key."),
    ("Its rollout", "deploy.environments.<name>.rollout", rollout.Rollout, ""),
    ("Its AWS account", "deploy.environments.<name>.aws", environment.Aws, ""),
    ("Its SSH connections", "deploy.environments.<name>.ssh", environment.Ssh, ""),
    ("Its hosts by tags", "deploy.environments.<name>.hosts", environment.Hosts, "Or a list of "
     "names or addresses in its place: `hosts: [web-1.example.com, web-2.example.com]`."),
)  # fmt: skip


def meanings(model: type[Strict]) -> dict[str, str]:
    """Return what stands below each field of a settings class, as one line."""
    (body,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            found[field.target.id] = " ".join(str(text.value.value).split())
    return found


def kind(schema: dict[str, Any]) -> str:  # noqa: PLR0911 - one return for each kind
    """Return a key's type in words, with its limits."""
    if "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema["enum"])
    if "anyOf" in schema:
        some = [each for each in schema["anyOf"] if each != {"type": "null"}]
        return " or ".join(dict.fromkeys(map(kind, some)))
    if "oneOf" in schema:
        return "list of names, or `tags:`"
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return {"Batch": "batch sizes", "Share": "count or percentage"}.get(name, "keys, see below")
    if schema.get("type") == "array":
        word, _, limits = kind(schema["items"]).partition(", ")
        return f"list of {word.removesuffix('s')}s" + (f", {limits}" if limits else "")
    if schema.get("type") == "object":
        return "mapping"
    low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
    names = {"integer": "whole number", "number": "number", "boolean": "`true` or `false`"}
    text = names.get(schema.get("type", ""), "text")
    if low is None or schema.get("type") == "string":
        return text
    above = "above " if "exclusiveMinimum" in schema else ""
    return f"{text}, {above}{low:g} to {high:g}" if high is not None else f"{text}, {low:g} or more"


def shown(value: Any) -> str:
    """Return a default as it is written in the file."""
    if value is None or value in ({}, ()):
        return ""
    if isinstance(value, Strict):
        return f"`{value}`" if type(value).__str__ is not Strict.__str__ else ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def table(model: type[Strict]) -> str:
    """Return a settings class's keys as a table."""
    schema, texts = model.model_json_schema()["properties"], meanings(model)
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if name in GIVEN:
            continue
        is_required = field.is_required() and name != "apps"  # load gives an environment all
        value = None if field.is_required() else field.get_default(call_default_factory=True)
        default = "required" if is_required else shown(value)
        own = "mapping of app names to keys" if name == "apps" else kind(schema[name])
        meaning = texts[name].replace("|", "\\|")
        lines.append(f"| `{name}` | {own} | {default} | {meaning} |")
    return "\n".join(lines) + "\n"


def configuration() -> str:
    """Return docs/configuration.md."""
    text = """# Configuration

<!-- Written by scripts/reference.py from deploy/settings: edit the texts there. -->

This page has every key of the settings file, with its type, default and meaning. Settings are in `fabric.yaml`, below `deploy:`; Fabric's own keys are beside it, at the top level. The file is searched for in the working directory and the folders above; `--settings` names another one. An unknown key is refused with its file and line. [fabric.yaml](../fabric.yaml) shows every key in its place.

Editors that read JSON Schema complete and check the file. Write the schema of the version that you have installed beside it, and again after an upgrade:

```
changeover schema > settings.schema.json
```

For the YAML extension of VS Code, the first line of `fabric.yaml` is then:

```yaml
# yaml-language-server: $schema=settings.schema.json
```

The schema agrees with the commands, except where two places of the file must be compared: only a command checks that an app has all required keys, and that no two apps share a port.
"""  # noqa: E501 - a paragraph is one line
    for title, place, model, more in SECTIONS:
        text += f"\n## {title}\n\n`{place}`" + (f". {more}" if more else "")
        text += f"\n\n{table(model)}"
    return text


def commands(page: str) -> str:
    """Return docs/commands.md with each command's help between the marks."""
    parts = []
    for name in EXAMPLES:
        made = namespace[name]
        lines = (inspect.getdoc(made) or "").split("\n\n")
        rows = []
        arguments = sorted(made.get_arguments(), key=lambda each: str(each.name))
        for argument in arguments:
            names = sorted((("--" if len(n) > 1 else "-") + n for n in argument.names), key=len)
            value = "" if argument.takes_value is False else " …"
            meaning = option_of(name, argument.attr_name or argument.name).help
            rows.append(f"| `{', '.join(names)}{value}` | {meaning} |")
        table_text = "\n".join(["| option | |", "|---|---|", *rows])
        prose = "\n\n".join(" ".join(part.split()) for part in lines[:-1])
        example = f"```\ninv {EXAMPLES[name]}\n```"
        parts.append(f"## `inv {name}`\n\n{prose}\n\n{example}\n\n{table_text}\n")
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return before + BEGIN + "\n" + "\n".join(parts) + "\n" + END + after


def written() -> dict[str, str]:
    """Return the text of each file by its path in the project."""
    return {
        "docs/commands.md": commands((ROOT / "docs/commands.md").read_text()),
        "docs/configuration.md": configuration(),
        "docs/runbook.md": runbook.page((ROOT / "docs/runbook.md").read_text()),
        "deploy/settings/schema.json": settings_schema.schema(meanings),
        "docs/events.schema.json": json.dumps(text_of_events.schema(), indent=2) + "\n",
    }


if __name__ == "__main__":
    for path, text in written().items():
        (ROOT / path).write_text(re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE))
