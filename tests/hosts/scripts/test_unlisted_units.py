"""A slot's unit that runs under a port that the settings no longer list is reported by its name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import builders
import pytest
from shell import run

from deploy.hosts.scripts import read
from deploy.hosts.scripts.script import text_of
from deploy.survey.parse import parse_host

if TYPE_CHECKING:
    from pathlib import Path

SYSTEMCTL = """#!/bin/sh
[ "$1" = is-active ] || exit 0
case " {running} " in *" $3 "*) exit 0 ;; esac
exit 3
"""


@pytest.mark.parametrize(
    ("there", "running", "unlisted"),
    [
        (("web@5000.service", "web@5009.service"), "web@5009.service", ("web@5009.service",)),
        (("web@5000.service", "web@5009.service"), "", ()),
        (("web@5000.service", "web@5001.service"), "web@5000.service web@5001.service", ()),
        (("web@.service", "api@5009.service", "web-2@5009.service"), "api@5009.service", ()),
        ((), "", ()),
    ],
)
def test_a_unit_that_no_port_of_the_settings_has_is_reported_while_it_runs(
    tmp_path: Path, there: tuple[str, ...], running: str, unlisted: tuple[str, ...]
) -> None:
    folder = tmp_path / "etc/systemd/system"
    folder.mkdir(parents=True)
    for name in there:
        (folder / name).write_text("[Service]\n")
    (tmp_path / "systemctl").write_text(SYSTEMCTL.format(running=running))
    (tmp_path / "systemctl").chmod(0o755)
    app = builders.app("web", 5000, 5001)
    units = [slot.unit_name for slot in app.slots]
    script = text_of((read.survey_app("web", "nobody", None, None, units),))
    moved = script.replace("/etc/systemd/", f"{tmp_path}/etc/systemd/")
    ran = run(moved, environ={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    found = parse_host(builders.host(), ran.facts, [app])
    assert found.slots["web"].unlisted == unlisted
    assert not found.unknown
