"""Of a unit that another slot has not, the survey brings the text; of all others only the name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import builders
import pytest
from shell import run

from deploy.hosts.scripts import read
from deploy.hosts.scripts.script import text_of
from deploy.survey.parse import parse_host

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.survey.slot import Slot

OLD, NEW = "1.0.0-aaaaaaaaaaaa", "2.0.0-bbbbbbbbbbbb"
DIGEST = "c" * 64
TEXT = "[Service]\nExecStart=/srv/web/current/web --port 5000\nEnvironment=X=ü\n"


def surveyed(root: Path, *ports: int, app: str = "web") -> tuple[Slot, tuple[str, ...]]:
    """The first slot of an app with these ports, and the keys that were not understood."""
    own = builders.app(app, *ports)
    units = [slot.unit_name for slot in own.slots]
    program = read.survey_app(app, "nobody", None, None, units)
    ran = run(text_of((program,)).replace("/srv/", f"{root}/srv/"))
    found = parse_host(builders.host(), ran.facts, [own])
    return found.slots[app], found.unknown


def store(root: Path, release: str, *units: str, app: str = "web") -> None:
    home = root / "srv" / app
    (home / "releases" / release).mkdir(parents=True, exist_ok=True)
    (home / "records/units").mkdir(parents=True, exist_ok=True)
    for unit in units:
        (home / f"records/units/{release}.{DIGEST}.{unit}").write_text(TEXT)


@pytest.mark.parametrize("app", ["web", "my-web"])
def test_a_unit_whose_new_slot_has_none_is_brought_with_its_text(tmp_path: Path, app: str) -> None:
    store(tmp_path, OLD, f"{app}@5000.service", app=app)
    store(tmp_path, NEW, f"{app}@5000.service", f"{app}@5001.service", app=app)
    slot, unknown = surveyed(tmp_path, 5000, 5001, app=app)
    assert slot.stored == {f"{OLD}.{DIGEST}": {f"{app}@5000.service": TEXT}}
    assert slot.kept == {f"{OLD}.{DIGEST}", f"{NEW}.{DIGEST}"}
    assert not unknown


@pytest.mark.parametrize(("ports", "is_brought"), [((5000,), False), ((6000,), True)])
def test_of_one_slot_it_is_brought_where_its_port_is_another(
    tmp_path: Path, ports: tuple[int, ...], *, is_brought: bool
) -> None:
    store(tmp_path, OLD, "web@5000.service")
    slot, _ = surveyed(tmp_path, *ports)
    assert bool(slot.stored) is is_brought


def test_of_a_release_that_is_gone_or_a_link_nothing_is_brought(tmp_path: Path) -> None:
    store(tmp_path, OLD, "web@5000.service")
    (tmp_path / "srv/web/releases" / OLD).rmdir()
    store(tmp_path, NEW)
    link = tmp_path / f"srv/web/records/units/{NEW}.{DIGEST}.web@5000.service"
    link.symlink_to("/etc/shadow")
    assert surveyed(tmp_path, 5000, 5001)[0].stored == {}


def test_p7_a_name_that_is_none_of_ours_is_unknown(tmp_path: Path) -> None:
    store(tmp_path, OLD)
    folder = tmp_path / "srv/web/records/units"
    (folder / f"{OLD}.$(id).web@5000.service").write_text(TEXT)
    slot, unknown = surveyed(tmp_path, 5000, 5001)
    assert slot.stored == {}
    assert set(unknown) == {"web.kept", "web.stored"}
