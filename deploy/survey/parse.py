"""What a host printed, read as facts: every value matches its grammar, or is unknown. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy import values
from deploy.hosts.marks import Mark
from deploy.hosts.records import Record
from deploy.survey.facts import HostFacts
from deploy.survey.reader import Reader
from deploy.survey.slot import Slot
from deploy.survey.unit_state import is_started_from, listener, read_unit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.aws.inventory import Host
    from deploy.settings.app import App, AppInSlot


MOST_SETTINGS = 500
"""As many lines of a previous unit are read; what it sets decides nothing."""
UNREADABLE = "?"
"""In place of a note that exists and cannot be parsed."""


def parse_host(host: Host, lines: Iterable[str], apps: Iterable[App]) -> HostFacts:
    """The survey's facts, each `key=value`."""
    reader, served = Reader(lines), tuple(apps)
    return HostFacts(
        host=host,
        init=reader.first("init", values.name) or "",
        systemd=reader.first("systemd", values.major_version) or 0,
        selinux=reader.first("selinux", values.word) or "",
        free_kb=reader.first("free_kb", values.number) or 0,
        tools=frozenset(reader.every("tool", values.name)),
        slots={app.name: _parse_slot(app.slots[0], reader) for app in served},
        lock=reader.text("lock").strip("\n"),
        progress=reader.text("progress").strip("\n"),
        lock_age=reader.first("lock_age", values.number),
        spares={app.name: _parse_slot(spare, reader) for app in served for spare in app.slots[1:]},
        free_memory_kb=reader.first("free_memory_kb", values.number) or 0,
        has_ipv6=bool(reader.first("ipv6", values.name)),
        machine=reader.first("machine", values.name) or "",
        free_files=reader.first("free_files", values.number),
        given_ports=reader.first("given_ports", _ports) or (),
        reserved_ports=reader.first("reserved_ports", _ports) or (),
        unknown=tuple(dict.fromkeys(reader.unknown)),
    )


def _parse_slot(app: AppInSlot, reader: Reader) -> Slot:
    name, slot = app.name, f"{app.name}.{app.port}"
    state = read_unit(reader, f"{slot}.show.")
    digest = reader.first(f"{slot}.unit_digest", values.unit_digest) or ""
    written = reader.first(f"{slot}.unit_written", values.number)
    is_proof = state.is_sealed or reader.text(f"{slot}.own_namespace") == "no"
    running = reader.first(f"{slot}.running", values.release_id) or ""
    return Slot(
        unit_state=state,
        link=reader.first(f"{slot}.link", _linked) or "",
        unit_sha256=reader.first(f"{slot}.unit_sha256", values.digest) or "",
        unit_digest=digest,
        running_release=running if is_proof else "",
        running_unit_digest=digest if is_started_from(state, app.unit_name, written) else "",
        memory_kb=reader.first(f"{slot}.memory_kb", values.number) or 0,
        wrapper=reader.first(f"{slot}.shell", values.word) or "",
        releases=tuple(reader.every(f"{name}.release", values.release_id)),
        manifests=dict(reader.every(f"{name}.manifest", _manifest)),
        out=_note(reader, f"{slot}.out"),
        history=_history(reader, f"{name}.history"),
        bad=frozenset(reader.every(f"{name}.bad", values.release_id)),
        marks=_marks(reader, f"{name}.mark"),
        kept=frozenset(
            file.removesuffix(f".{app.unit_name}")
            for file in reader.every(f"{name}.kept", _kept)
            if file.endswith(f".{app.unit_name}")
        ),
        stored=_stored(reader, name),
        partial=dict(reader.every(f"{name}.partial", _partial)),
        group=reader.first(f"{name}.group", values.name) or "",
        unlisted=tuple(reader.every(f"{name}.unlisted", values.unit_name)),
        listeners=tuple(reader.every(f"{slot}.listener", listener)),
        replaces=read_unit(reader, f"{name}.replaces."),
        previous_name=app.settings.replaces or "",
        previous_settings=_previous(reader, f"{name}.previous"),
        has_rehearsal=bool(reader.text(f"{name}.rehearsal")),
        overridden=tuple(reader.every(f"{name}.overridden", values.name)),
        exported=tuple(reader.every(f"{name}.exported", values.name)),
        has_environment_file=bool(reader.text(f"{name}.environment_file")),
    )


def _ports(text: str) -> tuple[range, ...] | None:
    """Ports and ranges of them with commas between, as the kernel lists them."""
    found: list[range] = []
    for part in text.split(","):
        low, _, high = part.partition("-")
        ends = values.number(low), values.number(high or low)
        if None in ends:
            return None
        found.append(range(ends[0] or 0, (ends[1] or 0) + 1))
    return tuple(found)


def _previous(reader: Reader, key: str) -> tuple[tuple[str, str], ...]:
    """What the unit that the app replaces sets: a directive a line, and after a space its value."""
    found: list[tuple[str, str]] = []
    for line in reader.text(key).split("\n")[:MOST_SETTINGS]:
        name, _, rest = line.partition(" ")
        value = rest[: values.MOST_TEXT].replace("\t", " ")
        if values.word(name) and values.printable(value) is not None:
            found.append((name, value))
        elif line:
            reader.unknown.append(key)
    return tuple(found)


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


def _stored(reader: Reader, app: str) -> dict[str, dict[str, str]]:
    """The texts of stored units, by Record.kept and the unit's name."""
    found: dict[str, dict[str, str]] = {}
    for text in reader.every(f"{app}.stored", str):
        file, _, unit_text = text.partition("\n")
        kept, at, rest = file.rpartition(f".{app}@")
        if _kept(file) is None or not at:
            reader.unknown.append(f"{app}.stored")
        else:
            found.setdefault(kept, {})[f"{app}@{rest}"] = unit_text
    return found


def _partial(text: str) -> tuple[str, int] | None:
    """A release whose upload was cut off, and its KiB, of `<KiB> .<release>.part`."""
    size, _, folder = text.partition(" ")
    release = values.release_id(folder.removeprefix(".").removesuffix(".part"))
    kib = values.number(size)
    return None if release is None or kib is None else (release, kib)


def _note(reader: Reader, key: str) -> str:
    """The note that a target was taken out: that one is there counts, whatever it says."""
    text = reader.text(key)
    if not text:
        return ""
    if values.json_object(text) is None:
        reader.unknown.append(key)
        return UNREADABLE
    return text.strip()


def _marks(reader: Reader, key: str) -> dict[str, Mark]:
    """What the marks of failed releases say, each below the name of its file."""
    found: dict[str, Mark] = {}
    for text in reader.every(key, str):
        release, _, line = text.partition("\n")
        mark = Mark.parse(release, line)
        if values.release_id(release) is None or mark is None:
            reader.unknown.append(key)
        else:
            found[release] = mark
    return found


def _history(reader: Reader, key: str) -> tuple[Record, ...]:
    found: list[Record] = []
    for line in reader.text(key).split("\n"):
        record = Record.parse(line) if line.strip() else None
        if record is not None:
            found.append(record)
        elif line.strip():
            reader.unknown.append(key)
    return tuple(found)
