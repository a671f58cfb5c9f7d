"""The systemd unit of one slot: its settings and a template become a file's text.

The only home of systemd's quoting.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import traceback
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import jinja2

from deploy.errors import BadInput

DEFAULT_TEMPLATE = Path(__file__).parent.parent / "templates" / "service.j2"

_APP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OURS = "CHANGEOVER_"
# The first version whose ExecStart= looks a bare name up on the path, and that has Type=exec.


@dataclass(frozen=True)
class UnitSpec:
    """What a slot's unit says.

    release: the release's id. command: words, the port already in them; the first is absolute,
    a file of the package (relative, `executable_in_package`) or a bare name on the host's PATH.
    environment: names and values, which win over PORT, ASPNETCORE_URLS and HOME as set here.
    environment_file: an absolute path on the host. All durations in seconds.
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


@dataclass(frozen=True)
class RenderedUnit:
    """A unit file: its name under /etc/systemd/system, its text, and 12 hex digits of its digest.

    The digest is of the text with the digest's own places blank; the units of an app's two slots
    share one, of both texts, so that a record tells a release and its settings for either slot.
    """

    name: str
    text: str
    digest: str


def render(
    template: Path | None,
    spec: UnitSpec,
    systemd_version: int,
    slots: tuple[UnitSpec, ...] = (),
) -> RenderedUnit:
    """Fill in the template (the project's own where None) for a host of that systemd version.

    slots: what the units of all the app's slots say, this one's too, where there are several.
    BadInput names the template and its line, or the setting, that is wrong.
    """
    path = template or DEFAULT_TEMPLATE
    values = _values(spec, systemd_version)
    blanks = [
        _fill(path, _values(each, systemd_version) | {"digest": ""}) for each in slots or (spec,)
    ]
    digest = hashlib.sha256("".join(blanks).encode()).hexdigest()[:12]
    text = _fill(path, values | {"digest": digest})
    for name, value in (("RELEASE", spec.release), ("UNIT", digest)):
        assignment = re.escape(f"{_OURS}{name}={value}")
        if not re.search(
            rf'^Environment="?{assignment}"?$', _section(text, "Service"), re.MULTILINE
        ):
            raise BadInput(
                f"template {path}: its [Service] section lacks a line by which a running process "
                "tells what it was started from; add these two: "
                f"Environment={_OURS}RELEASE={{{{ release }}}} and "
                f"Environment={_OURS}UNIT={{{{ digest }}}}",
            )
    return RenderedUnit(f"{spec.app}@{spec.port}.service", text, digest)


def for_verification(unit: RenderedUnit, staged_path: str) -> str:
    """Give the unit's text with the staged release's path in place of the stable one.

    `systemd-analyze verify` looks for the executable, and outside of the unit's own mounts there
    is none under /srv/<app>/current. Nothing else needs changing: it reads no EnvironmentFile=.
    """
    app = unit.name.partition("@")[0]
    stable = re.escape(f"/srv/{app}/current")
    return re.sub(rf"{stable}(?![\w.-])", lambda _: staged_path, unit.text)


def lint(text: str, longest_request_seconds: float | None = None) -> tuple[str, ...]:
    """Warn of what a user's template says that ends in failed requests or a dead service.

    `text` is the rendered unit; the stop timeout is judged where the longest request is known.
    """
    said = dict(re.findall(r"^(\w+)=[ \t]*(.*?)[ \t]*$", _section(text, "Service"), re.MULTILINE))
    warnings = []
    if said.get("KillSignal") in {"SIGINT", "2"}:
        warnings.append("KillSignal=SIGINT: a host with UseSystemd() ignores it; use SIGTERM")
    if said.get("MemoryDenyWriteExecute") in {"yes", "true", "on", "1"}:
        warnings.append("MemoryDenyWriteExecute=yes: a JIT such as .NET's cannot run; remove it")
    if said.get("Restart") != "always":
        warnings.append("Restart=always is absent: a service that ends stays down; add it")
    stop = _seconds(said.get("TimeoutStopSec", ""))
    if stop is not None and longest_request_seconds is not None and stop < longest_request_seconds:
        warnings.append(
            f"TimeoutStopSec={said['TimeoutStopSec']} is below the longest request "
            f"({longest_request_seconds:g} s): such requests are cut; raise it",
        )
    return tuple(warnings)


def quote(word: str) -> str:
    """Write a word so that systemd reads it back unchanged: quotes, escapes and specifiers."""
    escaped = "".join(
        f"\\x{ord(character):02x}" if ord(character) < ord(" ") else character
        for character in word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    )
    return escaped if re.fullmatch(r"[\w@%+=:,./*-]+", escaped, re.ASCII) else f'"{escaped}"'


def _values(spec: UnitSpec, systemd_version: int) -> dict[str, object]:
    """The template's variables, each already written as systemd wants it."""
    if not _APP.fullmatch(spec.app):
        raise BadInput(f"app {spec.app!r}: a unit's name takes letters, digits, '_', '.' and '-'")
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
        "slot": f"/srv/{spec.app}/slots/{spec.port}",
        "current": f"/srv/{spec.app}/current",
        "systemd": systemd_version,
    }


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
        if any(ord(character) < ord(" ") and character != "\t" for character in value):
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
    if any(ord(character) < ord(" ") for character in value) or value.endswith("\\"):
        raise BadInput(
            f"{what}: {value!r} must be one line without control characters "
            "and without a backslash at its end",
        )
    return value.replace("%", "%%")


def _fill(path: Path, values: dict[str, object]) -> str:
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"template {path}: it cannot be read: {error}") from error
    try:
        return _compiled(source, path.parent).render(values)
    except jinja2.TemplateSyntaxError as error:
        place = error.filename or path
        raise BadInput(f"template {place}:{error.lineno}: {error.message}") from error
    except (
        jinja2.TemplateError,
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        frames = traceback.extract_tb(error.__traceback__)
        line = next((f.lineno or 0 for f in reversed(frames) if f.filename == "<template>"), 0)
        unknown = re.match(r"'(\w+)' is undefined", str(error))
        near = difflib.get_close_matches(unknown[1], [*values], 1) if unknown else []
        hint = f"; did you mean {near[0]}?" if near else ""
        known = f"; known are {', '.join(sorted(values))}" if unknown and not near else ""
        raise BadInput(f"template {path}:{line}: {error}{hint}{known}") from error


@lru_cache(maxsize=32)
def _compiled(source: str, folder: Path) -> jinja2.Template:
    environment = jinja2.Environment(  # noqa: S701 - a unit file is no HTML
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FileSystemLoader(folder),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.from_string(source)


def _section(text: str, name: str) -> str:
    pieces = re.split(r"^\[(.+)\][ \t]*$", text, flags=re.MULTILINE)
    return "".join(b for a, b in zip(pieces[1::2], pieces[2::2], strict=True) if a == name)


def _seconds(span: str) -> float | None:
    """Read systemd's time span (`90`, `1min 30s`); None for none, infinity, or a rarer unit."""
    units = {"": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "ms": 0.001}
    parts = re.findall(r"([0-9.]+)\s*([a-z]*)", span)
    if not parts or any(unit not in units for _, unit in parts):
        return None
    return sum(float(number) * units[unit] for number, unit in parts)
