"""What hosts have of what is replaced: asked of one host for all, and believed by its digest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import builders
import pytest
import shell
from builders import NEW, OLD

from deploy.difference import change, moves, stored
from deploy.difference.files import FileChanges
from deploy.errors import RemoteError
from deploy.hosts.scripts import read
from deploy.plan import assembly
from deploy.survey.slot import UnitState
from difference import shelf
from difference.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.difference.change import Change
    from deploy.plan.plan import Plan
    from deploy.survey.slot import Slot

UNIT_FILE = "/etc/systemd/system/web@5000.service"
OLD_FILES = shelf.files(OLD, {"web": 9_000, "gone.dll": 500})
SAME = shelf.files(OLD, {"same.dll": 70_000})
NEW_FILES = shelf.files(NEW, {"web": 10_000, "new.dll": 2_000})
OLD_UNIT = builders.unit(text="[Service]\nNice=1\n")


def before() -> Slot:
    """A slot that runs the old release, of which it has the manifest."""
    return builders.slot(OLD, OLD_UNIT, **shelf.stored(OLD, (*OLD_FILES, *SAME)))


def a_shelf() -> Shelf:
    """A host with the old release."""
    return Shelf({OLD: (*OLD_FILES, *SAME)}, {UNIT_FILE: OLD_UNIT.text})


def made(*slots: Slot) -> Plan:
    """A deploy whose package has a file that is new, one that is changed, and one that is there."""
    hosts = [builders.facts(n, {"web": slot}) for n, slot in enumerate(slots, start=1)]
    offer = builders.offer(builders.app(), hosts, text="[Service]\nNice=2\n")
    package = replace(
        offer.package,
        manifest=(*NEW_FILES, *SAME),
        spans={"web": (100, 600), "new.dll": (600, 700), "same.dll": (700, 900_000)},
        skeleton_bytes=100,
    )
    offers = (replace(offer, package=package),)
    return assembly.make(builders.environment(), offers, builders.survey(hosts))


def changes(plan: Plan, hosts: Sequence[Shelf]) -> tuple[Change, ...]:
    found = moves.of_steps(plan.steps, plan.running, plan.packages)
    remotes = {f"host-{n}": host for n, host in enumerate(hosts, start=1)}
    return change.of(found, stored.of(found, remotes))


def test_one_host_is_asked_for_all_that_show_the_same_digests() -> None:
    hosts = [a_shelf() for _ in range(4)]
    (found,) = changes(made(*[before()] * 4), hosts)
    assert [len(host.asked) for host in hosts] == [1, 0, 0, 0]
    assert hosts[0].asked == [("web", OLD, UNIT_FILE)]
    assert found.hosts == ("host-1", "host-2", "host-3", "host-4")
    assert (found.before, found.after) == (OLD, NEW)
    assert found.files == FileChanges(
        added=(("new.dll", 2_000),), changed=(("web", 10_000),), removed=(("gone.dll", 500),)
    )
    assert [line for line in (found.unit or ()) if line[0] in "-+"] == ["-Nice=1", "+Nice=2"]


def test_what_lies_there_is_not_sent() -> None:
    """What the host has is left out of the parcel: here nearly all."""
    (found,) = changes(made(*[before()] * 2), [a_shelf(), a_shelf()])
    assert found.is_sent
    whole = found.package_bytes
    assert whole == 1_000_000
    assert whole - 899_300 < found.sent_bytes < whole - 890_000
    (unread,) = changes(made(*[before()] * 2), [Shelf(), Shelf()])
    assert unread.sent_bytes == whole


def test_p12_what_does_not_have_the_digest_that_the_survey_saw_is_not_known() -> None:
    liar = a_shelf()
    liar.lies = b"x"
    (found,) = changes(made(*[before()] * 2), [liar, a_shelf()])
    assert found.files is None
    assert found.unit is None


def test_hosts_that_differ_are_asked_each_and_those_with_one_answer_are_one_change() -> None:
    """Another file on the disk, edited by hand: its unit differs in something else."""
    edited = builders.unit(text="[Service]\nNice=7\n")
    other = builders.slot(OLD, edited, **shelf.stored(OLD, (*OLD_FILES, *SAME)))
    commented = builders.unit(text="[Service]\n# by hand\nNice=1\n")
    same = builders.slot(OLD, commented, **shelf.stored(OLD, (*OLD_FILES, *SAME)))
    hosts = [a_shelf(), a_shelf(), a_shelf()]
    hosts[1].units[UNIT_FILE] = edited.text
    hosts[2].units[UNIT_FILE] = commented.text
    found = changes(made(before(), other, same), hosts)
    assert [len(host.asked) for host in hosts] == [1, 1, 1]
    differing = {each.hosts: each.unit for each in found}
    assert differing.keys() == {("host-1", "host-3"), ("host-2",)}
    assert "-Nice=7" in (differing["host-2",] or ())


def test_a_host_that_does_not_answer_costs_what_it_would_have_shown_and_nothing_else() -> None:
    silent = a_shelf()
    silent.error = RemoteError("no end after 10 s")
    (found,) = changes(made(*[before()] * 2), [silent, a_shelf()])
    assert (found.before, found.after, found.files, found.unit) == (OLD, NEW, None, None)


def test_nothing_is_asked_where_nothing_ran() -> None:
    plan = made(*[replace(builders.slot(), unit_sha256="", manifests={})] * 2)
    hosts = [Shelf(), Shelf()]
    changes(plan, hosts)
    assert [host.asked for host in hosts] == [[], []]


@pytest.mark.parametrize("most", [read.MOST_STORED_BYTES, 10])
def test_the_program_shows_what_lies_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """By a real shell; a text is cut at its limit, and then has another digest."""
    monkeypatch.setattr(read, "MOST_STORED_BYTES", most)
    home, unit = tmp_path / "srv/web", tmp_path / "etc/systemd/system/web@5000.service"
    for folder in (home / "records/manifests", home / f"releases/{OLD}/lib", unit.parent):
        folder.mkdir(parents=True)
    manifest = shelf.listed(OLD_FILES)
    (home / "records/manifests" / OLD).write_bytes(manifest)
    (home / f"releases/{OLD}/web").write_bytes(b"12345")
    (home / f"releases/{OLD}/lib/a b.dll").write_bytes(b"123")
    unit.write_text("[Service]\nNice=1")  # its last line has no end
    script = read.show_stored("web", (OLD, NEW), (UNIT_FILE, "/etc/systemd/system/none.service"))
    text = script.text
    for part in ("/srv/", "/etc/systemd/"):
        text = text.replace(part, f"{tmp_path}{part}")
    found = script.parse(shell.run(text))
    if most == 10:
        assert {len(each) for each in found.values()} == {10}
        return
    assert found.keys() == {"manifest 0", "sizes 0", "file 0"}
    assert found["manifest 0"] == manifest
    assert sorted(found["sizes 0"].decode().splitlines()) == ["3 lib/a b.dll", "5 web"]
    assert found["file 0"] == b"[Service]\nNice=1"


def test_where_nothing_runs_what_the_slot_points_to_is_what_is_replaced() -> None:
    stopped = replace(before(), unit_state=UnitState("loaded"), running_release="")
    (found,) = changes(made(*[stopped] * 2), [a_shelf(), a_shelf()])
    assert (found.before, found.after) == (OLD, NEW)
    assert found.files is not None
    fresh = replace(stopped, link="")
    (found,) = changes(made(*[fresh] * 2), [a_shelf(), a_shelf()])
    assert found.before == ""
    assert found.files is not None
    assert {path for path, _ in found.files.added} == {"web", "new.dll", "same.dll"}
