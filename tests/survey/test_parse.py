"""What hosts print becomes facts, old systemds and surprises included."""

from __future__ import annotations

import base64

import builders
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy import values
from deploy.hosts.lock.holder import Holder
from deploy.hosts.records import Record
from deploy.survey.facts import HostFacts
from deploy.survey.parse import parse_host
from deploy.survey.slot import Listener, Slot, UnitState
from deploy.survey.unit_state import parse_listeners, parse_runtime, parse_show

NEWER, OLDER = "1.0.0-aaaaaaaaaaaa", "0.9.0-cccccccccccc"
DIGEST = "0123456789ab"
HISTORY = "\n".join(
    (
        Record(OLDER, DIGEST, "2026-11-22T21:20:01+00:00", "a=b").as_line(),
        '{"release": "1.0.0-aaa',
        Record(NEWER, DIGEST, "2026-11-22T21:20:02+00:00", "a=b").as_line(),
    )
)
HOLDER = Holder("a" * 32, "me@here", "2026-11-28T06:00:00+00:00", "deploy", "", 30.0, 7)
UNIT = """\
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
MainPID=314
InvocationID=00112233445566778899aabbccddeeff
NRestarts=2
Result=success
ActiveEnterTimestamp=Sun 2026-11-22 21:20:01 UTC
ExecMainStartTimestamp=Sun 2026-11-22 21:20:00 UTC
FragmentPath=/etc/systemd/system/web@5000.service
DropInPaths=
NeedDaemonReload=no
RestrictNamespaces=yes
"""
STARTED = 1795382400  # 21:20:00


def fact(key: str, value: str) -> str:
    return f"{key}:{base64.b64encode(value.encode()).decode()}"


def slot_facts(**changed: str) -> list[str]:
    """A running slot's facts; a keyword changes a property of its unit, or a fact of the slot."""
    shown = dict(line.split("=", 1) for line in UNIT.splitlines())
    own = {
        "link": f"../releases/{NEWER}",
        "unit_sha256": "ab" * 32,
        "unit_digest": DIGEST,
        "unit_written": str(STARTED - 1),
        "running": NEWER,
        "own_namespace": "no",
        "memory_kb": "1024",
        "listener": "314 776562 /system.slice/system-web.slice/web@5000.service",
    }
    for key, value in changed.items():
        (shown if key in shown else own)[key] = value
    return [
        *(f"web.5000.show.{key}={value}" for key, value in shown.items()),
        *(f"web.5000.{key}={value}" for key, value in own.items()),
    ]


def host_facts() -> list[str]:
    return [
        "init=systemd",
        "systemd=252",
        "selinux=Enforcing",
        "free_kb=123456",
        "ipv6=yes",
        fact("lock", HOLDER.as_line() + "\n"),
        "tool=ss",
        "tool=tar",
        *slot_facts(),
        f"web.release={OLDER}",
        f"web.release={NEWER}",
        f"web.manifest={'cd' * 32} {NEWER}",
        fact("web.5000.out", '{"target": "i-1:5000"}\n'),
        fact("web.history", HISTORY),
        "web.bad=1.1.0-bbbbbbbbbbbb",
        f"web.kept={NEWER}.{DIGEST}.web@5000.service",
        f"web.kept={NEWER}.{DIGEST}.web@5001.service",
        "web.partial=12 .2.0.0-dddddddddddd.part",
        "web.group=web",
        "web.5000.listener=7 6e67696e78 /user.slice/user-1.slice/user@1.service/web@5000.service",
        "web.replaces.LoadState=loaded",
        "web.replaces.ActiveState=active",
        "web.environment_file=there",
    ]


def slot_of(lines: list[str]) -> Slot:
    return parse_host(builders.host(), lines, [builders.app()]).slots["web"]


def test_a_hosts_lines_become_facts() -> None:
    facts = parse_host(builders.host(), host_facts(), [builders.app()])
    assert (facts.init, facts.systemd, facts.selinux, facts.free_kb) == (
        "systemd",
        252,
        "Enforcing",
        123456,
    )
    assert facts.tools == {"ss", "tar"}
    assert facts.has_ipv6
    assert Holder.parse(facts.lock) == HOLDER
    slot = facts.slots["web"]
    assert slot.link == slot.running_release == NEWER
    assert slot.releases == (OLDER, NEWER)
    assert slot.manifests == {NEWER: "cd" * 32}
    assert slot.unit_state == UnitState(
        "loaded",
        "active",
        "running",
        "enabled",
        314,
        "00112233445566778899aabbccddeeff",
        2,
        "success",
        "Sun 2026-11-22 21:20:01 UTC",
        STARTED,
        "/etc/systemd/system/web@5000.service",
        is_sealed=True,
    )
    assert slot.listeners == (
        Listener(314, "web@5000.service", "web"),
        Listener(7, "user@1.service", "nginx"),
    )
    assert [record.version for record in slot.history] == ["0.9.0", "1.0.0"]
    assert [slot.can_run(record) for record in slot.history] == [False, True]
    assert slot.bad == {"1.1.0-bbbbbbbbbbbb"}
    assert slot.partial == {"2.0.0-dddddddddddd": 12}
    assert slot.replaces.is_running
    assert slot.previous_name == "", "the settings name none"
    assert slot.has_environment_file
    assert (slot.running_unit_digest, slot.unit_digest) == (DIGEST, DIGEST)
    assert slot.out == '{"target": "i-1:5000"}'
    assert facts.unknown == ("web.history",), "the line that was cut short"


@pytest.mark.parametrize(
    ("given", "reserved", "port", "may"),
    [
        ("32768-60999", "", 48326, True),
        ("32768-60999", "8080,48000-48400", 48326, False),
        ("32768-60999", "48326", 48326, False),
        ("32768-60999", "", 5000, False),
        ("1024-65535", "", 5000, True),
        ("", "", 48326, False),
        ("all", "", 48326, False),
        ("32768-60999", "48326-", 48326, False),
        ("32768-60999", "some", 48326, True),
    ],
)
def test_the_ports_that_a_host_gives_to_outgoing_connections_are_known(
    given: str, reserved: str, port: int, *, may: bool
) -> None:
    lines = [f"given_ports={given}", f"reserved_ports={reserved}"]
    assert parse_host(builders.host(), lines, [builders.app()]).may_give(port) is may


def test_a_bare_host_has_an_empty_slot() -> None:
    facts = parse_host(builders.host(), ["init=systemd", "noise"], [builders.app()])
    assert facts.slots == {"web": Slot()}
    assert (facts.systemd, facts.free_kb, facts.has_ipv6) == (0, 0, False)
    assert not facts.slots["web"].unit_state.is_loaded


def test_apps_are_kept_apart() -> None:
    lines = ["web.5000.link=../releases/1.0.0-aaaaaaaaaaaa"]
    lines.append("admin.5100.link=../releases/2.0.0-bbbbbbbbbbbb")
    slots = parse_host(builders.host(), lines, [builders.app(), builders.app("admin", 5100)]).slots
    links = (slots["web"].link, slots["admin"].link)
    assert links == ("1.0.0-aaaaaaaaaaaa", "2.0.0-bbbbbbbbbbbb")


@pytest.mark.parametrize(
    ("changed", "release", "unit"),
    [
        ({}, NEWER, DIGEST),
        ({"RestrictNamespaces": "cgroup ipc net mnt pid uts"}, NEWER, DIGEST),
        ({"RestrictNamespaces": "cgroup ipc mnt", "own_namespace": "yes"}, "", DIGEST),
        ({"RestrictNamespaces": "cgroup ipc net", "own_namespace": "yes"}, NEWER, DIGEST),
        ({"RestrictNamespaces": "no"}, NEWER, DIGEST),
        ({"RestrictNamespaces": "no", "own_namespace": "yes"}, "", DIGEST),
        ({"RestrictNamespaces": "user mnt", "own_namespace": "yes"}, "", DIGEST),
        ({"RestrictNamespaces": "", "own_namespace": "yes"}, "", DIGEST),
        ({"RestrictNamespaces": "rubbish", "own_namespace": ""}, "", DIGEST),
        ({"running": ""}, "", DIGEST),
        ({"running": "../../../../etc/victim.conf"}, "", DIGEST),
        ({"running": "../../etc-aaaaaaaaaaaa"}, "", DIGEST),
        ({"NeedDaemonReload": "yes"}, NEWER, ""),
        ({"unit_written": str(STARTED)}, NEWER, DIGEST),
        ({"unit_written": str(STARTED + 1)}, NEWER, ""),
        ({"unit_written": ""}, NEWER, ""),
        ({"ExecMainStartTimestamp": ""}, NEWER, ""),
        ({"ExecMainStartTimestamp": "Sun 2026-99-22 21:20:00 UTC"}, NEWER, ""),
        ({"FragmentPath": "/run/systemd/transient/web@5000.service"}, NEWER, ""),
        ({"MainPID": "0"}, NEWER, ""),
        ({"unit_digest": "abc"}, NEWER, ""),
    ],
)
def test_what_runs_is_what_the_kernel_and_the_unit_file_prove(
    changed: dict[str, str], release: str, unit: str
) -> None:
    slot = slot_of(slot_facts(**changed))
    assert (slot.running_release, slot.running_unit_digest) == (release, unit)


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ("", False),
        ("/usr/lib/systemd/system/service.d/10-timeout-abort.conf", False),
        ("/etc/systemd/system/web@5000.service.d/override.conf", True),
        ("/etc/systemd/system/web@.service.d/a b.conf", True),
    ],
)
def test_a_drop_in_of_the_unit_itself_is_seen(paths: str, expected: bool) -> None:
    assert slot_of(slot_facts(DropInPaths=paths)).unit_state.has_drop_ins == expected


ODD = (
    "",
    "²",
    "٣",
    "1e9",
    "-1",
    "0x10",
    "9" * 400,
    "1\u2028",
    "NaN",
    "[" * 5000,
    "../x",
    "\0",
    "a b",
)


KEYS = sorted({line.split("=")[0].split(":")[0] for line in host_facts()})


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_value_is_unknown_and_reaches_nothing(odd: str) -> None:
    """Each of a host's values in turn: no exception, and no value outside its grammar."""
    for key in KEYS:
        lines = [line for line in host_facts() if not line.startswith(f"{key}=")]
        for line in (f"{key}={odd}", fact(key, odd), f"{key}?", f"{key}:{odd}", key, odd):
            facts = parse_host(builders.host(), [*lines, line], [builders.app()])
            assert_well_formed(facts)


def assert_well_formed(facts: HostFacts) -> None:
    """Whatever may become part of a path or a command matches its grammar."""
    for slot in (*facts.slots.values(), *facts.spares.values()):
        releases = [
            *slot.releases,
            *slot.manifests,
            *slot.bad,
            *slot.partial,
            *(record.release for record in slot.history),
            *filter(None, (slot.link, slot.running_release)),
        ]
        assert all(values.release_id(release) for release in releases)
        digests = [record.unit_digest for record in slot.history]
        digests += filter(None, (slot.running_unit_digest, slot.unit_digest))
        assert all(values.unit_digest(digest) for digest in digests)


@given(st.lists(st.tuples(st.sampled_from(host_facts()), st.text(), st.integers(0, 200))))
@settings(max_examples=300)
def test_no_answer_raises_or_leaves_the_grammar(changes: list[tuple[str, str, int]]) -> None:
    lines = host_facts()
    for line, text, place in changes:
        lines.append(line[:place] + text + line[place:])
    assert_well_formed(parse_host(builders.host(), lines, [builders.app()]))


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ([], UnitState()),
        (["show.LoadState=loaded", "show.ActiveState=failed"], ("loaded", "failed", 0)),
        (
            ["show.LoadState=loaded", "show.ActiveState=active", "show.NRestarts=x"],
            ("loaded", "active", 0),
        ),
    ],
)
def test_what_an_older_systemd_leaves_out_is_taken_as_none(
    printed: list[str], expected: UnitState | tuple[str, str, int]
) -> None:
    found = parse_show(printed)
    if isinstance(expected, UnitState):
        assert found == expected
    else:
        assert (found.load, found.active, found.restarts) == expected


def test_a_listener_that_cannot_be_read_is_not_passed_over() -> None:
    assert parse_listeners(["web.listener=7 77 /a.service"], "web")
    assert parse_listeners(["web.listener=7 77 /a.service", "web.listener?"], "web") is None
    assert parse_listeners(["web.listener=x 77 /a.service"], "web") is None
    assert parse_listeners([], "web") == ()


def test_a_release_counts_only_where_its_process_cannot_forge_mounts() -> None:
    assert parse_runtime([f"running={NEWER}", "own_namespace=no"]) == NEWER
    assert parse_runtime([f"running={NEWER}", "own_namespace=yes"]) == ""
    sealed = [f"running={NEWER}", "own_namespace=yes", "show.RestrictNamespaces=yes"]
    assert parse_runtime(sealed) == NEWER
