"""What a host printed, read as facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.facts import HostFacts, Listener, Slot, UnitState
from deploy.records import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.inventory import Host
    from deploy.settings import App


def parse_host(host: Host, text: str, apps: Iterable[App]) -> HostFacts:
    """The survey's `key=value` lines; lines that are none are passed over."""
    values: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, separator, value = line.partition("=")
        if separator:
            values.setdefault(key, []).append(value.strip())

    def first(key: str) -> str:
        return values.get(key, [""])[0]

    words = first("systemd").split()
    served = tuple(apps)
    return HostFacts(
        host=host,
        init=first("init"),
        systemd=number(words[1]) if len(words) > 1 else 0,
        selinux=first("selinux"),
        free_kb=number(first("free_kb")),
        tools=frozenset(values.get("tool", [])),
        slots={app.name: _parse_slot(app.at(app.ports[0]), values) for app in served},
        lock=first("lock"),
        spares={
            app.name: _parse_slot(app.at(port), values) for app in served for port in app.ports[1:]
        },
        free_memory_kb=number(first("free_memory_kb")),
    )


def _parse_slot(app: App, values: dict[str, list[str]]) -> Slot:
    name, port = app.name, app.port

    def all_of(key: str) -> list[str]:
        return values.get(f"{name}.{key}", [])

    def first(key: str) -> str:
        return (all_of(key) or [""])[0]

    def shown(part: str) -> UnitState:
        prefix = f"{name}.{part}."
        return parse_unit(
            {
                key.removeprefix(prefix): found[0]
                for key, found in values.items()
                if key.startswith(prefix)
            }
        )

    return Slot(
        unit=shown(f"{port}.show"),
        link=first(f"{port}.link").rpartition("/")[2],
        unit_sha256=first(f"{port}.unit_sha256"),
        unit_digest=first(f"{port}.unit_digest"),
        running_release=first(f"{port}.running.RELEASE"),
        running_unit=first(f"{port}.running.UNIT"),
        memory_kb=number(first(f"{port}.memory_kb")),
        releases=tuple(all_of("release")),
        out=first(f"{port}.out"),
        history=tuple(record for line in all_of("history") if (record := Record.parse(line))),
        bad=frozenset(all_of("bad")),
        kept=frozenset(
            file.removesuffix(f".{app.unit}")
            for file in all_of("kept")
            if file.endswith(f".{app.unit}")
        ),
        torn=dict(_parse_torn(line) for line in all_of("torn")),
        group=first("group"),
        listeners=parse_listeners(all_of(f"{port}.listener")),
        replaces=shown("replaces"),
        environment_file=first("environment_file"),
    )


def _parse_torn(line: str) -> tuple[str, int]:
    """A release's id and KiB, of what `du -k` says of its part."""
    size, _, path = line.partition("\t")
    return path.rpartition("/")[2].removeprefix(".").removesuffix(".part"), number(size)


def parse_unit(shown: Mapping[str, str]) -> UnitState:
    """`systemctl show`'s pairs; older systemds leave some out (NRestarts before 235)."""
    return UnitState(
        load=shown.get("LoadState", "not-found"),
        active=shown.get("ActiveState", "inactive"),
        sub=shown.get("SubState", "dead"),
        enabled=shown.get("UnitFileState", ""),
        main_pid=number(shown.get("MainPID", "")),
        invocation=shown.get("InvocationID", ""),
        restarts=number(shown.get("NRestarts", "")),
        result=shown.get("Result", ""),
        since=shown.get("ActiveEnterTimestamp", ""),
    )


def parse_show(text: str) -> UnitState:
    """`systemctl show`'s output as printed."""
    return parse_unit(dict(line.split("=", 1) for line in text.splitlines() if "=" in line))


def parse_listeners(lines: list[str]) -> tuple[Listener, ...]:
    """`<pid> <unit> <process>` lines; a process outside any unit has two words."""
    found: list[Listener] = []
    for line in lines:
        words = line.split()
        if words and words[0].isdigit():
            unit = words[1] if len(words) > 2 else ""  # noqa: PLR2004 - pid, unit, process
            found.append(Listener(int(words[0]), unit, words[-1] if len(words) > 1 else ""))
    return tuple(found)


def number(text: str) -> int:
    """Leading digits as a number; 0 where there are none."""
    digits = ""
    for character in text.strip():
        if not character.isdigit():
            break
        digits += character
    return int(digits or 0)
