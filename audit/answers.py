"""Answers of a hostile host: nothing outside the grammar reaches a builder of commands."""

from __future__ import annotations

import base64
import random
from typing import TYPE_CHECKING

from audit.wall import Attempt, Wall
from deploy import values
from deploy.aws.inventory import Host
from deploy.hosts.records import Record
from deploy.hosts.scripts import connections, history, service, upload
from deploy.hosts.ssh.framing import Frame, new_mark
from deploy.package import manifest
from deploy.settings.app import App
from deploy.survey.parse import parse_host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from deploy.survey.facts import HostFacts

ANSWERS = 20_000
SEED = 13
APP = App(name="web", ports=(5000, 5001), package="web.*.zip", target_group="web")
HOST = Host("host-1", "10.0.0.1", "i-0000000000000001", "eu-west-1a")
NEWER, OLDER, DIGEST = "2.0.0-bbbbbbbbbbbb", "1.0.0-aaaaaaaaaaaa", "d" * 64

HISTORY = "\n".join(
    Record(release, DIGEST, "2026-11-28T06:00:00+00:00", "a@b").as_line()
    for release in (OLDER, NEWER)
)
HONEST = (
    "init=systemd",
    "systemd=252",
    "free_kb=123456",
    "free_memory_kb=123456",
    "tool=flock",
    f"web.release={OLDER}",
    f"web.release={NEWER}",
    f"web.manifest={DIGEST} {NEWER}",
    f"web.history:{base64.b64encode(HISTORY.encode()).decode()}",
    f"web.bad={OLDER}",
    f"web.partial=12 .{OLDER}.part",
    f"web.kept={NEWER}.{DIGEST}.web@5000.service",
    "web.group=web",
    "web.environment_file=there",
    f"web.5000.link=../releases/{NEWER}",
    f"web.5000.unit_sha256={DIGEST}",
    f"web.5000.unit_digest={DIGEST}",
    "web.5000.unit_written=1795382400",
    f"web.5000.running={NEWER}",
    "web.5000.own_namespace=no",
    "web.5000.show.LoadState=loaded",
    "web.5000.show.ActiveState=active",
    "web.5000.show.UnitFileState=enabled",
    "web.5000.show.MainPID=314",
    "web.5000.show.FragmentPath=/etc/systemd/system/web@5000.service",
    "web.5000.show.ExecMainStartTimestamp=Sat 2026-11-28 06:00:00 UTC",
    "web.5000.listener=314 776562 /system.slice/web@5000.service",
    "web.5000.out:e30=",
)
POISON = (
    "",
    ".",
    "..",
    "../../../../etc/victim.conf",
    "../../../../etc-aaaaaaaaaaaa",
    "1.0.0-aaaaaaaaaaaa/../../../etc",
    "1.0.0-aaaaaaaaaaaa\n",
    "1.0.0-AAAAAAAAAAAA",
    "1.0..0-aaaaaaaaaaaa",
    "1.0.0-$(id)-aaaaaaaaaaaa",
    "x\nweb.release=",
    "²",
    "٣",
    "1e400",
    "NaN",
    "9" * 5000,
    "[" * 3000,
    '{"release": ["x"], "unit": {}, "at": 1, "by": null}',
    '{"release": "../x", "unit": "' + "d" * 64 + '", "at": "", "by": ""}',
    "-rf",
    "*",
    "a b",
    "\x00",
    "\x1b]0;title\x07",
    "\u2028",
    "\ud800",
    "é",
    "::stop-commands::x",
)


def attack(
    count: int = ANSWERS, read: Callable[[tuple[str, ...]], HostFacts] | None = None
) -> Attempt:
    """Read so many answers and build every command from what was read.

    read: the parser, to try another in its place.
    """
    parse = read or (lambda lines: parse_host(HOST, lines, [APP]))
    drawn = random.Random(SEED)  # noqa: S311 - repeatable, not secret
    findings: list[str] = []
    for _ in range(count):
        answer, mark = _answer(drawn)
        try:
            frame = Frame(mark, 1 << 20)
            frame.feed(answer)
            printed, lines = frame.text()
            _build_all(parse(lines))
            connections.parse(printed)
            manifest.read(printed)
        except Exception as error:  # noqa: BLE001 - each is a finding
            findings.append(f"{type(error).__name__}: {error} after {answer[:200]!r}")
    return Attempt(count, tuple(findings))


def _answer(drawn: random.Random) -> tuple[bytes, str]:
    """An answer in its frame, of which some lines are hostile; and the frame's mark."""
    mark = new_mark()
    lines = [f"{mark} {line}" for line in HONEST]
    for _ in range(drawn.randint(1, 4)):
        place = drawn.randrange(len(lines))
        key, sign, value = _parts(lines[place])
        poison = drawn.choice(POISON)
        kind = drawn.randrange(6)
        if kind == 0:
            lines[place] = f"{key}{sign}{poison}"
        elif kind == 1:
            encoded = base64.b64encode(poison.encode(errors="replace")).decode()
            lines[place] = f"{key}:{encoded}"
        elif kind == 2:
            at = drawn.randint(0, len(value))
            lines[place] = f"{key}{sign}{value[:at]}{poison}{value[at:]}"
        elif kind == 3:
            lines.insert(place, poison)
        elif kind == 4:
            noise = drawn.randbytes(drawn.randint(0, 40)).decode("latin-1")
            lines[place] = f"{key}{sign}{noise}"
        else:
            del lines[place]
    text = "\n".join((drawn.choice(POISON), f"{mark} begin", *lines, f"{mark} end 0", ""))
    return ("\n" + text).encode(errors="surrogatepass"), mark


def _parts(line: str) -> tuple[str, str, str]:
    for place, character in enumerate(line):
        if character in "=:":
            return line[:place], character, line[place + 1 :]
    return line, "=", ""


def _build_all(facts: HostFacts) -> None:
    """Every command that is built from what a host says; Malformed where a name is none."""
    for slot in (*facts.slots.values(), *facts.spares.values()):
        named: Iterable[str] = (
            *slot.releases,
            *slot.bad,
            *slot.partial,
            *(record.release for record in slot.history),
            *filter(None, (slot.link, slot.running_release)),
        )
        for release in named:
            history.mark_bad("web", release, "note")
            upload.discard_part("web", release)
        upload.remove_releases("web", tuple(slot.releases), next(iter(slot.partial), ""))
        for record in slot.history:
            unit = ("web@5000.service", record.unit_digest)
            service.switch_release("web", 5000, record.release, "web", unit, (unit[0],))
        service.runtime("web", "web@5000.service", 5000)


def _believing(lines: tuple[str, ...]) -> HostFacts:
    """A parser without a grammar, as there was one before: what a host says is taken as it is."""
    keep = {name: getattr(values, name) for name in ("release_id", "unit_digest")}
    for name in keep:
        setattr(values, name, lambda text: text)
    try:
        return parse_host(HOST, lines, [APP])
    finally:
        for name, parse in keep.items():
            setattr(values, name, parse)


WALLS = (Wall("answers of a host", attack, lambda: attack(2_000, _believing)),)
