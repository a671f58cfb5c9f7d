"""What a host printed, read as facts: every value matches its grammar, or is unknown. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from deploy import values
from deploy.hosts.records import Record
from deploy.hosts.ssh.framing import Facts
from deploy.survey.facts import HostFacts, Listener, Slot, UnitState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from deploy.aws.inventory import Host
    from deploy.settings.app import App

Value = TypeVar("Value")

UNREADABLE = "?"
"""Stands for a note that is there and is not one of ours."""

_SERVICE_PARTS = 3
_NAMESPACES = frozenset({"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"})
_SHOWN = {
    "LoadState": values.word,
    "ActiveState": values.word,
    "SubState": values.word,
    "UnitFileState": values.word,
    "Result": values.word,
}


class _Reader:
    """The facts of one host; a value outside its grammar is left out, and its key noted."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._facts = Facts(tuple(lines))
        self.unknown = list(self._facts.unknown)

    def every(self, key: str, parse: Callable[[str], Value | None]) -> list[Value]:
        """The values of a key that match."""
        found: list[Value] = []
        for text in self._facts.every(key):
            value = parse(text)
            if value is None:
                self.unknown.append(key)
            else:
                found.append(value)
        return found

    def first(self, key: str, parse: Callable[[str], Value | None]) -> Value | None:
        """The first value of a key; None where it is absent, empty or does not match."""
        if not self._facts.first(key):
            return None
        return next(iter(self.every(key, parse)), None)

    def text(self, key: str) -> str:
        """The first value as it was printed, for what has a parser of its own."""
        return self._facts.first(key)

    def unit(self, prefix: str) -> UnitState:
        """The state of a unit whose properties have keys that begin so."""
        shown = self._facts.pairs(prefix)
        for key, parse in _SHOWN.items():
            if shown.get(key) and parse(shown[key]) is None:
                self.unknown.append(prefix + key)
        return parse_unit(shown)


def parse_host(host: Host, lines: Iterable[str], apps: Iterable[App]) -> HostFacts:
    """The survey's facts, each `key=value`."""
    reader, served = _Reader(lines), tuple(apps)
    return HostFacts(
        host=host,
        init=reader.first("init", values.name) or "",
        systemd=reader.first("systemd", values.major_version) or 0,
        selinux=reader.first("selinux", values.word) or "",
        free_kb=reader.first("free_kb", values.number) or 0,
        tools=frozenset(reader.every("tool", values.name)),
        slots={app.name: _parse_slot(app.at(app.ports[0]), reader) for app in served},
        lock=reader.text("lock").strip("\n"),
        spares={
            app.name: _parse_slot(app.at(port), reader) for app in served for port in app.ports[1:]
        },
        free_memory_kb=reader.first("free_memory_kb", values.number) or 0,
        unknown=tuple(dict.fromkeys(reader.unknown)),
    )


def _parse_slot(app: App, reader: _Reader) -> Slot:
    name, slot = app.name, f"{app.name}.{app.port}"
    unit = reader.unit(f"{slot}.show.")
    digest = reader.first(f"{slot}.unit_digest", values.unit_digest) or ""
    written = reader.first(f"{slot}.unit_written", values.number)
    is_proof = unit.is_sealed or reader.text(f"{slot}.own_namespace") == "no"
    running = reader.first(f"{slot}.running", values.release_id) or ""
    return Slot(
        unit=unit,
        link=reader.first(f"{slot}.link", _linked) or "",
        unit_sha256=reader.first(f"{slot}.unit_sha256", values.digest) or "",
        unit_digest=digest,
        running_release=running if is_proof else "",
        running_unit=digest if is_started_from(unit, app.unit, written) else "",
        memory_kb=reader.first(f"{slot}.memory_kb", values.number) or 0,
        releases=tuple(reader.every(f"{name}.release", values.release_id)),
        manifests=dict(reader.every(f"{name}.manifest", _manifest)),
        out=_note(reader, f"{slot}.out"),
        history=_history(reader, f"{name}.history"),
        bad=frozenset(reader.every(f"{name}.bad", values.release_id)),
        kept=frozenset(
            file.removesuffix(f".{app.unit}")
            for file in reader.every(f"{name}.kept", _kept)
            if file.endswith(f".{app.unit}")
        ),
        partial=dict(reader.every(f"{name}.partial", _partial)),
        group=reader.first(f"{name}.group", values.name) or "",
        listeners=tuple(reader.every(f"{slot}.listener", _listener)),
        replaces=reader.unit(f"{name}.replaces."),
        has_environment_file=bool(reader.text(f"{name}.environment_file")),
    )


def is_started_from(unit: UnitState, name: str, written: int | None) -> bool:
    """Whether the unit's process was started from the file that lies there now.

    written: when that file was written, in seconds since 1970.
    """
    return (
        unit.main_pid > 0
        and unit.fragment == f"/etc/systemd/system/{name}"
        and not unit.needs_reload
        and written is not None
        and unit.started is not None
        and written <= unit.started
    )


def _linked(text: str) -> str | None:
    """The release of a slot's link, `../releases/<release>`."""
    folder, _, release = text.rpartition("/")
    return values.release_id(release) if folder == "../releases" else None


def _manifest(text: str) -> tuple[str, str] | None:
    """A release and the digest of its stored manifest."""
    digest, _, release = text.partition(" ")
    if values.digest(digest) is None or values.release_id(release) is None:
        return None
    return release, digest


def _kept(text: str) -> str | None:
    """A stored unit's file name: `<release>.<digest>.<unit>`."""
    head, _, unit = text.rpartition(".service")[0].rpartition(".")
    release, _, digest = head.rpartition(".")
    names = (
        values.release_id(release),
        values.unit_digest(digest),
        values.name(unit.split("@")[0]),
    )
    return None if None in names or values.unit_name(f"{unit}.service") is None else text


def _partial(text: str) -> tuple[str, int] | None:
    """A release whose upload was cut off, and its KiB, of `<KiB> .<release>.part`."""
    size, _, folder = text.partition(" ")
    release = values.release_id(folder.removeprefix(".").removesuffix(".part"))
    kib = values.number(size)
    return None if release is None or kib is None else (release, kib)


def _note(reader: _Reader, key: str) -> str:
    """The note that a target was taken out: that one is there counts, whatever it says."""
    text = reader.text(key)
    if not text:
        return ""
    if values.json_object(text) is None:
        reader.unknown.append(key)
        return UNREADABLE
    return text.strip()


def _history(reader: _Reader, key: str) -> tuple[Record, ...]:
    found: list[Record] = []
    for line in reader.text(key).split("\n"):
        record = Record.parse(line) if line.strip() else None
        if record is not None:
            found.append(record)
        elif line.strip():
            reader.unknown.append(key)
    return tuple(found)


def parse_unit(shown: Mapping[str, str]) -> UnitState:
    """`systemctl show`'s pairs; older systemds leave some out (NRestarts before 235)."""

    def known(key: str, absent: str) -> str:
        text = shown.get(key, "")
        return absent if not text or _SHOWN[key](text) is None else text

    return UnitState(
        load=known("LoadState", "not-found"),
        active=known("ActiveState", "inactive"),
        sub=known("SubState", "dead"),
        enabled=known("UnitFileState", ""),
        main_pid=values.pid(shown.get("MainPID", "")) or 0,
        invocation=values.token(shown.get("InvocationID", "")) or "",
        restarts=values.number(shown.get("NRestarts", "")) or 0,
        result=known("Result", ""),
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
    return _Reader(lines).unit("show.")


def parse_runtime(lines: Iterable[str]) -> str:
    """The release that `scripts.read.runtime` reports; empty where nothing proves one."""
    reader = _Reader(lines)
    is_proof = reader.unit("show.").is_sealed or reader.text("own_namespace") == "no"
    return (reader.first("running", values.release_id) or "") if is_proof else ""


def parse_listeners(lines: Iterable[str], key: str) -> tuple[Listener, ...] | None:
    """The processes behind the facts `<key>.listener`; None where one of them is unknown."""
    reader = _Reader(lines)
    found = reader.every(f"{key}.listener", _listener)
    return None if f"{key}.listener" in reader.unknown else tuple(found)


def _listener(text: str) -> Listener | None:
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
