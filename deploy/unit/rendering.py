"""The systemd unit of one slot: its settings and a template become a file's text.

The template itself is filled in by `template`; what a sandbox needs is in `sandbox`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.unit import sandbox, syntax, template
from deploy.unit.variables import OURS, current_path, slot_path, template_variables

if TYPE_CHECKING:
    from deploy.unit.spec import UnitSpec

_IN_WHEEL, _IN_CLONE = (Path(__file__).parents[n] / "templates" for n in (1, 2))
DEFAULT_TEMPLATE = (_IN_WHEEL if _IN_WHEEL.is_dir() else _IN_CLONE) / "service.j2"
"""The unit's template. A clone has it in templates/, where people look for it."""

_VERIFIES_BY_PATH = 250


@dataclass(frozen=True)
class RenderedUnit:
    """A unit file: its name under /etc/systemd/system, its text, and its digest, 64 hex digits.

    The digest is of the text with the digest's own places blank; the units of an app's two slots
    share one, of both texts, so that a record identifies a release and its settings for either
    slot.
    """

    name: str
    text: str
    digest: str


def render(
    own_template: Path | None,
    spec: UnitSpec,
    systemd_version: int,
    slots: tuple[UnitSpec, ...] = (),
) -> RenderedUnit:
    """Fill in the template (the project's own where None) for a host of that systemd version.

    slots: what the units of all the app's slots say, this one's too, where there are several.
    BadInput names the template and its line, or the setting, that is wrong.
    """
    path = own_template or DEFAULT_TEMPLATE
    blanks = [_fill(path, each, systemd_version, "") for each in slots or (spec,)]
    digest = hashlib.sha256("".join(blanks).encode()).hexdigest()
    text = _fill(path, spec, systemd_version, digest)
    service = [each.text.rstrip() for each in syntax.lines(text) if each.section == "Service"]
    lacks = list(sandbox.missing(text, slot_path(spec), current_path(spec)))
    if not {f"Environment={OURS}UNIT={digest}", f'Environment="{OURS}UNIT={digest}"'} & {*service}:
        lacks.append(f"Environment={OURS}UNIT={{{{ digest }}}}")
    if lacks:
        raise BadInput(
            f"template {path}: its [Service] section lacks what proves the release that a process "
            f"runs; add {'these lines' if len(lacks) > 1 else 'this line'}: {', '.join(lacks)}",
        )
    for name, value in spec.limits:
        if f"{name}={value}" not in service:
            raise BadInput(
                f"template {path}: its [Service] section leaves out {name}={value}, which the "
                "setting `limits:` wants; add these lines: {% for limit in limits %}, {{ limit }}, "
                "{% endfor %}"
            )
    return RenderedUnit(f"{spec.app}@{spec.port}.service", text, digest)


def filled(own_template: Path | None, spec: UnitSpec, systemd_version: int, digest: str) -> str:
    """Give the text of a unit with this digest in it, whatever its own would be."""
    return _fill(own_template or DEFAULT_TEMPLATE, spec, systemd_version, digest)


def _fill(path: Path, spec: UnitSpec, systemd_version: int, digest: str) -> str:
    text = template.fill(path, template_variables(spec, systemd_version) | {"digest": digest})
    return syntax.without(text, "Service", spec.removed)


@lru_cache(maxsize=256)
def for_verification(unit: RenderedUnit, staged_path: str, systemd_version: int = 252) -> str:
    """Give the unit's text with the staged release's path in place of the stable one.

    `systemd-analyze verify` looks for the executable, and outside of the unit's own mounts there
    is none under /srv/<app>/current. An old one does not look on the PATH either, and refuses
    what the same systemd starts. Nothing else needs changing: it reads no EnvironmentFile=.
    """
    app = unit.name.partition("@")[0]
    stable = re.escape(f"/srv/{app}/current")
    text = re.sub(rf"{stable}(?![\w.-])", lambda _: staged_path, unit.text)
    if systemd_version < _VERIFIES_BY_PATH:
        text = re.sub(r"^(ExecStart=)(?=\w)", r"\1-", text, flags=re.MULTILINE)
    return text


@lru_cache(maxsize=256)
def for_rehearsal(unit: RenderedUnit, staged_path: str, *, checks_program: bool = True) -> str:
    """Give a unit that tries the unit's sandbox on the staged release; see `sandbox.rehearsal`."""
    app, _, port = unit.name.removesuffix(".service").partition("@")
    slot = f"/srv/{app}/slots/{port}"
    # The trial has another name, so that what stands for the unit's is filled in here.
    known = {"%": "%%", "i": port, "I": port, "p": app, "n": unit.name, "N": f"{app}@{port}"}
    text = re.sub(r"%([%iIpnN])", lambda found: known[found[1]], unit.text)
    return sandbox.rehearsal(text, slot, staged_path, checks_program=checks_program)
