"""The values of a slot's unit, before it is written as a unit file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UnitSpec:
    """The values of a slot's unit.

    port: 0 for a worker. release: the release's id. command: words, the port already in them; the
    first is absolute, a file of the package (relative, `executable_in_package`) or a bare name on
    the host's PATH.
    environment: names and values, which win over PORT, ASPNETCORE_URLS and HOME as set here.
    environment_file: an absolute path on the host. All durations in seconds. removed: directives
    of the sandbox that the settings leave out. has_ipv6: whether the host's kernel knows IPv6.
    limits: directives and values.
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
    has_ipv6: bool = True
    limits: tuple[tuple[str, str], ...] = ()
