"""What systemd and the kernel show of a unit: its state, its process and its listeners. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from deploy import values
from deploy.hosts.scripts import service
from deploy.hosts.scripts.script import Script, program
from deploy.survey.reader import Reader
from deploy.survey.slot import Listener, UnitState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.command_result import CommandResult


_SERVICE_PARTS = 3


_NAMESPACES = frozenset({"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"})


SHOWN = {
    "LoadState": values.word,
    "ActiveState": values.word,
    "SubState": values.word,
    "UnitFileState": values.word,
    "Result": values.word,
}


@dataclass(frozen=True)
class Running:
    """A unit, what its process was started from, and who listens on its port, at one moment.

    Attributes:
        unit_state: Its state.
        release: The release that its process runs; empty where nothing proves one.
        listeners: The processes that listen; None where one of them is unknown.
    """

    unit_state: UnitState
    release: str
    listeners: tuple[Listener, ...] | None


def shown(unit_name: str) -> Script[UnitState]:
    """Ask for a unit's state."""
    return service.show_unit(unit_name).read_by(lambda result: parse_show(result.facts))


def started(unit_name: str) -> Script[UnitState]:
    """Start a unit; its state right afterwards."""
    return service.start_unit(unit_name).read_by(lambda result: parse_show(result.facts))


KILLED = frozenset({"timeout", "signal", "core-dump", "oom-kill", "watchdog"})
"""Results of a unit that did not end by itself; SIGTERM alone makes none of them."""


def killed(script: Script[CommandResult]) -> Script[str]:
    """Stop a unit; systemd's result where what ran did not end by itself, and empty otherwise."""
    return script.read_by(lambda result: _killed(result.facts))


def _killed(lines: Iterable[str]) -> str:
    reader = Reader(lines)
    was = UnitState(active=reader.first("stopped.was", values.word) or "")
    result = reader.first("stopped.result", values.word) or ""
    # One that had ended before has the result of then, also where systemd was about to start it.
    is_between = (reader.first("stopped.sub", values.word) or "").startswith("auto-restart")
    is_now = (was.is_running or was.active == "deactivating") and not is_between
    return result if is_now and result in KILLED else ""


def running(app: str, unit_name: str, port: int) -> Script[Running]:
    """Ask what runs in a slot."""
    return service.runtime(app, unit_name, port).read_by(
        lambda result: Running(
            parse_show(result.facts),
            parse_runtime(result.facts),
            parse_listeners(result.facts, app),
        )
    )


def loopback_alone(port: int) -> Script[tuple[str, ...]]:
    """Ask where a port is listened on: the addresses, where only the host itself reaches them."""
    return Script("looking where it listens", (program("bound_to", port),), _loopback_alone)


def _loopback_alone(result: CommandResult) -> tuple[str, ...]:
    reader = Reader(result.facts)
    found: list[IPv4Address | IPv6Address] = reader.every("address", _address)
    return tuple(map(str, found)) if found and all(each.is_loopback for each in found) else ()


def _address(text: str) -> IPv4Address | IPv6Address:
    """An address without its interface; all of them for what is none, as `-` is."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return IPv4Address(0)
    return getattr(found, "ipv4_mapped", None) or found


def is_started_from(state: UnitState, name: str, written: int | None) -> bool:
    """Whether the unit's process was started from the file that lies there now.

    written: when that file was written, in seconds since 1970.
    """
    return (
        state.main_pid > 0
        and state.fragment == f"/etc/systemd/system/{name}"
        and not state.needs_reload
        and written is not None
        and state.started is not None
        and written <= state.started
    )


def read_unit(reader: Reader, prefix: str) -> UnitState:
    """The state of a unit whose properties have keys that begin with a prefix."""
    return replace(
        parse_unit(reader.pairs(prefix, SHOWN)),
        stopped_with=tuple(reader.every(f"{prefix}stopped_with", values.any_unit_name)),
        started_by=tuple(reader.every(f"{prefix}started_by", values.any_unit_name)),
    )


def parse_unit(shown: Mapping[str, str]) -> UnitState:
    """`systemctl show`'s pairs; older systemds leave some out (NRestarts before 235)."""

    def known(key: str, absent: str) -> str:
        text = shown.get(key, "")
        return absent if not text or SHOWN[key](text) is None else text

    return UnitState(
        load=known("LoadState", "not-found"),
        active=known("ActiveState", "inactive"),
        sub=known("SubState", "dead"),
        enabled=known("UnitFileState", ""),
        main_pid=values.pid(shown.get("MainPID", "")) or 0,
        invocation=values.token(shown.get("InvocationID", "")) or "",
        restarts=values.number(shown.get("NRestarts", "")) or 0,
        result=known("Result", ""),
        exit_status=values.number(shown.get("ExecMainStatus", "")) or 0,
        since=_since(shown.get("ActiveEnterTimestamp", "")),
        started=values.timestamp(shown.get("ExecMainStartTimestamp", "")),
        fragment=values.path(shown.get("FragmentPath", "")) or "",
        needs_reload=shown.get("NeedDaemonReload", "no") != "no",
        has_drop_ins=_has_drop_ins(shown),
        is_sealed=_is_sealed(shown.get("RestrictNamespaces", "")),
    )


def _since(text: str) -> str:
    return text if values.timestamp(text) is not None else ""


def _has_drop_ins(shown: Mapping[str, str]) -> bool:
    """Whether a drop-in changes this very unit.

    A folder `service.d` changes all services alike, as Fedora's own does.
    """
    paths = shown.get("DropInPaths", "").split(" ")
    return any(path and "/service.d/" not in path for path in paths)


def _is_sealed(restricted: str) -> bool:
    """Whether RestrictNamespaces= forbids new mounts, which a process needs a user namespace for.

    systemd prints the namespaces that it allows.
    """
    allowed = set(restricted.split(" "))
    if allowed == {"yes"}:
        return True
    return allowed <= _NAMESPACES and not allowed & {"user", "mnt"}


def parse_show(lines: Iterable[str]) -> UnitState:
    """The facts `show.<property>=<value>` as a unit's state."""
    return read_unit(Reader(lines), "show.")


def parse_runtime(lines: Iterable[str]) -> str:
    """The release that `scripts.service.runtime` reports; empty where nothing proves one."""
    reader = Reader(lines)
    is_proof = read_unit(reader, "show.").is_sealed or reader.text("own_namespace") == "no"
    return (reader.first("running", values.release_id) or "") if is_proof else ""


def parse_listeners(lines: Iterable[str], key: str) -> tuple[Listener, ...] | None:
    """The processes behind the facts `<key>.listener`; None where one of them is unknown."""
    reader = Reader(lines)
    found = reader.every(f"{key}.listener", listener)
    return None if f"{key}.listener" in reader.unknown else tuple(found)


def listener(text: str) -> Listener | None:
    """A process of `<pid> <name in hex> <cgroup>`."""
    parts = text.split(" ", _SERVICE_PARTS - 1)
    if len(parts) != _SERVICE_PARTS:
        return None
    pid = values.pid(parts[0])
    try:
        process = bytes.fromhex(parts[1]).decode(errors="replace").rstrip("\n")
    except ValueError:
        return None
    return None if pid is None else Listener(pid, _unit_of(parts[2]), process)


def _unit_of(cgroup: str) -> str:
    """The unit that a cgroup belongs to: the first below the slices, or none.

    A user's own units lie below `user@1000.service`, whatever they are called.
    """
    parts = [part for part in cgroup.split("/") if part and not part.endswith(".slice")]
    return (values.unit_name(parts[0]) or "") if parts else ""
