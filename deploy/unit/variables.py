"""The variables of a unit's template, each value quoted as systemd requires."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.unit.syntax import is_control, quote

if TYPE_CHECKING:
    from deploy.unit.spec import UnitSpec

_APP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


OURS = "CHANGEOVER_"


_TYPES = ("exec", "notify", "simple")


def template_variables(spec: UnitSpec, systemd_version: int) -> dict[str, object]:
    """Return the template's variables, each already quoted as systemd requires."""
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
        "limits": tuple(f"{name}={value}" for name, value in spec.limits),
        "stop_timeout_seconds": spec.stop_timeout_seconds,
        "start_timeout_seconds": spec.start_timeout_seconds,
        "restart_seconds": f"{spec.restart_seconds:g}",
        "slot": slot_path(spec),
        "current": current_path(spec),
        "systemd": systemd_version,
    }


def slot_path(spec: UnitSpec) -> str:
    """Return the slot's folder, where its release is linked."""
    return f"/srv/{spec.app}/slots/{spec.port}"


def current_path(spec: UnitSpec) -> str:
    """Return where the service sees its release, in a mount of its own."""
    return f"/srv/{spec.app}/current"


def _command(spec: UnitSpec) -> str:
    return command_line(spec.app, spec.command, in_package=spec.executable_in_package)


def command_line(
    app: str, command: tuple[str, ...], *, in_package: bool, key: str = "command"
) -> str:
    """Write a command as ExecStart= has it.

    in_package: whether its first word is a file of the release; key: the setting, for messages.
    BadInput where systemd cannot run it.
    """
    if not command or not command[0]:
        raise BadInput(f"{key}: it is empty; name the executable, like ./web --port {{port}}")
    first, *arguments = command
    if any("\0" in word for word in command):
        raise BadInput(f"{key}: it holds a NUL character; remove it")
    if "$" in first:
        raise BadInput(f"{key}: systemd cannot start a file with '$' in its name ({first!r})")
    words = [quote(word.replace("$", "$$")) for word in arguments]
    if in_package:
        return " ".join([quote(f"/srv/{app}/current/{first.removeprefix('./')}"), *words])
    if first.startswith("/"):
        return " ".join([quote(first), *words])
    if "/" in first or not re.match(r"\w", first):
        raise BadInput(
            f"{key}: {first!r} is neither an absolute path, nor a file of the package, nor a "
            "name to look up on the host's PATH; write one of these",
        )
    return " ".join([quote(first), *words])


def _environment(spec: UnitSpec) -> tuple[str, ...]:
    variables = {"HOME": f"/var/lib/{spec.app}"}
    if spec.port:
        # `*` is no host of a URI, and a service that reads the variable as one ends at once.
        every = "[::]" if spec.has_ipv6 else "0.0.0.0"  # noqa: S104 - as `*` would, for its users
        variables |= {"PORT": str(spec.port), "ASPNETCORE_URLS": f"http://{every}:{spec.port}"}
    for name, value in spec.environment:
        if not _VARIABLE.fullmatch(name):
            raise BadInput(
                f"environment: {name!r} is no name of a variable; use letters, digits and '_' "
                "(.NET reads Section__Key as Section:Key)",
            )
        if name.startswith(OURS):
            raise BadInput(
                f"environment: {name} is set by the deploy itself; choose a name without {OURS}",
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
