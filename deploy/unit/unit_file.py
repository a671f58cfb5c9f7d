"""The systemd unit of one slot: its settings and a template become a file's text.

The template itself is filled in by `template`; what a sandbox needs is in `sandbox`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from deploy.errors import BadInput
from deploy.unit import sandbox, syntax, template
from deploy.unit.syntax import is_control, quote

_IN_WHEEL, _IN_CLONE = (Path(__file__).parents[n] / "templates" for n in (1, 2))
DEFAULT_TEMPLATE = (_IN_WHEEL if _IN_WHEEL.is_dir() else _IN_CLONE) / "service.j2"
"""The unit's template. A clone has it in templates/, where people look for it."""

_APP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OURS = "CHANGEOVER_"
_VERIFIES_BY_PATH = 250
_TYPES = ("exec", "notify", "simple")


@dataclass(frozen=True)
class UnitSpec:
    """What a slot's unit says.

    release: the release's id. command: words, the port already in them; the first is absolute,
    a file of the package (relative, `executable_in_package`) or a bare name on the host's PATH.
    environment: names and values, which win over PORT, ASPNETCORE_URLS and HOME as set here.
    environment_file: an absolute path on the host. All durations in seconds. removed: directives
    of the sandbox that the settings leave out.
    """

    app: str
    port: int
    release: str
    description: str
    command: tuple[str, ...]
    executable_in_package: bool
    user: str
    group: str
    type: str
    environment: tuple[tuple[str, str], ...]
    environment_file: str | None
    stop_timeout_seconds: int
    start_timeout_seconds: int
    restart_seconds: float
    removed: tuple[str, ...] = ()


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
    lacks = list(sandbox.missing(text, _slot(spec), _current(spec)))
    if not {f"Environment={_OURS}UNIT={digest}", f'Environment="{_OURS}UNIT={digest}"'} & {
        *service
    }:
        lacks.append(f"Environment={_OURS}UNIT={{{{ digest }}}}")
    if lacks:
        raise BadInput(
            f"template {path}: its [Service] section lacks what proves the release that a process "
            f"runs; add {'these lines' if len(lacks) > 1 else 'this line'}: {', '.join(lacks)}",
        )
    return RenderedUnit(f"{spec.app}@{spec.port}.service", text, digest)


def _fill(path: Path, spec: UnitSpec, systemd_version: int, digest: str) -> str:
    text = template.fill(path, _values(spec, systemd_version) | {"digest": digest})
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
def for_rehearsal(unit: RenderedUnit, staged_path: str) -> str:
    """Give a unit that runs /bin/true in the unit's sandbox, on the staged release."""
    app, _, port = unit.name.removesuffix(".service").partition("@")
    return sandbox.rehearsal(unit.text, f"/srv/{app}/slots/{port}", staged_path)


def lint(text: str, longest_request_seconds: float | None = None) -> tuple[str, ...]:
    """Warn of what a user's template says that ends in failed requests or a dead service.

    `text` is the rendered unit; the stop timeout is judged where the longest request is known.
    """
    said = dict(syntax.assignments(text, "Service"))
    warnings = []
    if said.get("KillSignal") in {"SIGINT", "2"}:
        warnings.append("KillSignal=SIGINT: a host with UseSystemd() ignores it; use SIGTERM")
    if said.get("MemoryDenyWriteExecute") in {"yes", "true", "on", "1"}:
        warnings.append("MemoryDenyWriteExecute=yes: a JIT such as .NET's cannot run; remove it")
    if said.get("Restart") != "always":
        warnings.append("Restart=always is absent: a service that ends stays down; add it")
    stop = syntax.seconds(said.get("TimeoutStopSec", ""))
    if stop is not None and longest_request_seconds is not None and stop < longest_request_seconds:
        warnings.append(
            f"TimeoutStopSec={said['TimeoutStopSec']} is below the longest request "
            f"({longest_request_seconds:g} s): such requests are cut; raise it",
        )
    return tuple(warnings)


def _values(spec: UnitSpec, systemd_version: int) -> dict[str, object]:
    """The template's variables, each already written as systemd wants it."""
    if not _APP.fullmatch(spec.app):
        raise BadInput(f"app {spec.app!r}: a unit's name takes letters, digits, '_', '.' and '-'")
    if spec.type not in _TYPES:
        raise BadInput(f"type: {spec.type!r} must be one of {', '.join(_TYPES)}")
    return {
        "app": spec.app,
        "port": spec.port,
        "release": _line("release", spec.release),
        "description": _line("description", spec.description),
        "command": _command(spec),
        "user": _line("user", spec.user),
        "group": _line("group", spec.group),
        "type": spec.type,
        "environment": _environment(spec),
        "environment_file": _environment_file(spec.environment_file),
        "stop_timeout_seconds": spec.stop_timeout_seconds,
        "start_timeout_seconds": spec.start_timeout_seconds,
        "restart_seconds": f"{spec.restart_seconds:g}",
        "slot": _slot(spec),
        "current": _current(spec),
        "systemd": systemd_version,
    }


def _slot(spec: UnitSpec) -> str:
    return f"/srv/{spec.app}/slots/{spec.port}"


def _current(spec: UnitSpec) -> str:
    return f"/srv/{spec.app}/current"


def _command(spec: UnitSpec) -> str:
    if not spec.command or not spec.command[0]:
        raise BadInput("command: it is empty; name the executable, like ./web --port {port}")
    first, *arguments = spec.command
    if any("\0" in word for word in spec.command):
        raise BadInput("command: it holds a NUL character; remove it")
    if "$" in first:
        raise BadInput(f"command: systemd cannot start a file with '$' in its name ({first!r})")
    words = [quote(word.replace("$", "$$")) for word in arguments]
    if spec.executable_in_package:
        return " ".join([quote(f"/srv/{spec.app}/current/{first.removeprefix('./')}"), *words])
    if first.startswith("/"):
        return " ".join([quote(first), *words])
    if "/" in first or not re.match(r"\w", first):
        raise BadInput(
            f"command: {first!r} is neither an absolute path, nor a file of the package, nor a "
            "name to look up on the host's PATH; write one of these",
        )
    return " ".join([quote(first), *words])


def _environment(spec: UnitSpec) -> tuple[str, ...]:
    variables = {
        "HOME": f"/var/lib/{spec.app}",
        "PORT": str(spec.port),
        "ASPNETCORE_URLS": f"http://*:{spec.port}",
    }
    for name, value in spec.environment:
        if not _VARIABLE.fullmatch(name):
            raise BadInput(
                f"environment: {name!r} is no name of a variable; use letters, digits and '_' "
                "(.NET reads Section__Key as Section:Key)",
            )
        if name.startswith(_OURS):
            raise BadInput(
                f"environment: {name} is set by the deploy itself; choose a name without {_OURS}",
            )
        if any(is_control(character) and character != "\t" for character in value):
            raise BadInput(
                f"environment: the value of {name} holds a newline or another control character, "
                "which systemd refuses; put it into a file and name that file",
            )
        variables[name] = value
    return tuple(quote(f"{name}={value}") for name, value in variables.items())


def _environment_file(path: str | None) -> str | None:
    if path is None:
        return None
    if not path.startswith("/"):
        raise BadInput(
            f"environment_file: {path!r} must be an absolute path on the host, like /etc/web.env",
        )
    return _line("environment_file", path)


def _line(what: str, value: str) -> str:
    """Check a value that fills the rest of its line, where systemd knows no quoting."""
    if any(map(is_control, value)) or value.endswith("\\"):
        raise BadInput(
            f"{what}: {value!r} must be one line without control characters "
            "and without a backslash at its end",
        )
    return value.replace("%", "%%")
