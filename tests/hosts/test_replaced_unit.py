"""What a plan says of the unit that it replaces: settings, never a value that may be a secret."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import builders
import pytest
from shell import run

from deploy.hosts import replaced_unit
from deploy.hosts.scripts import read
from deploy.hosts.scripts.script import text_of
from deploy.plan import assembly
from deploy.survey.parse import parse_host
from deploy.survey.slot import Slot, UnitState

if TYPE_CHECKING:
    from pathlib import Path

OLD_UNIT = r"""# /etc/systemd/system/legacy.service
[Unit]
Description=Legacy with S3CRET
Requires=postgresql.service
[Service]
; User=commented-out
User=legacy
WorkingDirectory=/opt/legacy
Environment=A=1 "B=two S3CRET words" 'C=S3CRET' D="S3 CRET" E=S3CRET\
  # a comment between
  F=S3CRET
Environment="DB_URL=postgres://u:S3CRET@h/db?x=y" PORT=5000
EnvironmentFile=-/etc/legacy.env
LimitNOFILE=65536
ExecStartPre=-/usr/bin/install --token=S3CRET
ExecStart=/opt/legacy/web --password S3CRET
SetCredential=token:S3CRET
Restart=always
[Install]
Alias=S3CRET.service

# /etc/systemd/system/legacy.service.d/more.conf
[Service]
ExecStartPre=
ExecStartPre=/bin/sh -c 'S3CRET'
MemoryMax=2G
"""
DROP_INS = "/etc/systemd/system/legacy.service.d/more.conf /usr/lib/systemd/system/service.d/x.conf"
OURS = """[Service]
User=web
WorkingDirectory=/srv/web/current
Environment=PORT=5000
Environment="A=1 and B=2"
Restart=always
ExecStart=/srv/web/current/web
LimitCORE=0
"""


@pytest.fixture
def printed(tmp_path: Path) -> list[str]:
    """What a host prints of the unit: its facts."""
    (tmp_path / "unit").write_text(OLD_UNIT)
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(
        f"#!/bin/sh\ncase $1 in show) echo '{DROP_INS}' ;; cat) cat {tmp_path}/unit ;; esac\n"
    )
    systemctl.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    script = text_of((read.survey_previous("web", "legacy.service"),))
    return list(run(script, environ=environ).facts)


def of(lines: list[str]) -> Slot:
    app = builders.app(replaces="legacy.service")
    return parse_host(builders.host(), lines, [app]).slots["web"]


def test_p7_no_value_that_may_be_a_secret_leaves_the_host(printed: list[str]) -> None:
    settings = of(printed).previous_settings
    assert settings
    assert "CRET" not in str(settings)
    names = [value for name, value in settings if name == "Environment"]
    assert names == ["A", "B", "C", "D", "E", "F", "DB_URL", "PORT"]
    assert ("SetCredential", "?") in settings
    assert ("ExecStartPre", "/bin/sh") in settings
    assert "Alias" not in dict(settings)


def test_what_it_sets_and_ours_does_not_is_named(printed: list[str]) -> None:
    found = replaced_unit.differences(of(printed).previous_settings, OURS)
    assert found == (
        "drop-ins /etc/systemd/system/legacy.service.d/more.conf",
        "Requires=postgresql.service",
        "User=legacy (ours: web)",
        "WorkingDirectory=/opt/legacy (ours: /srv/web/current)",
        "variables C, D, E, F, DB_URL",
        "EnvironmentFile=-/etc/legacy.env",
        "LimitNOFILE=65536",
        "SetCredential",
        "ExecStartPre=/bin/sh",
        "MemoryMax=2G",
    )


@pytest.mark.parametrize(
    ("previous", "ours", "expected"),
    [
        ([("User", "web"), ("LimitNOFILE", "1024")], "User=web\nLimitNOFILE=1024", ()),
        ([("User", "web"), ("LimitNOFILE", "1024")], "User=web\nLimitNOFILE=512", ("ours: 512",)),
        ([("Restart", "no"), ("User", "web")], "User=web\nRestart=always", ()),
        ([("LimitCORE", "infinity"), ("User", "web")], "User=web\nLimitCORE=0", ("ours: 0",)),
        ([("Restart", "no")], "User=web\nRestart=always", ("User=root (ours: web)",)),
        ([("DynamicUser", "yes")], "User=web", ("DynamicUser=yes",)),
        ([("User", "a"), ("User", "")], "User=web", ("User=root (ours: web)",)),
        ([("User", "web"), ("EnvironmentFile", "-/e")], "User=web\nEnvironmentFile=/e", ()),
        ([("DropInPaths", "/usr/lib/systemd/system/service.d/x.conf")], "User=web", ()),
        ([], "User=web", ()),
    ],
)
def test_only_what_a_service_may_depend_on_is_compared(
    previous: list[tuple[str, str]], ours: str, expected: tuple[str, ...]
) -> None:
    found = replaced_unit.differences(previous, f"[Service]\n{ours}\n")
    assert len(found) == len(expected)
    for shown, words in zip(found, expected, strict=True):
        assert words in shown


def test_what_acts_on_a_screen_is_unknown_and_what_is_endless_is_cut() -> None:
    settings = [("Slice", "\u202eevil"), ("User", "x" * 5000)]
    shown = replaced_unit.differences(settings, "[Service]\nUser=web\n")
    assert "\u202e" not in "".join(shown)
    assert max(map(len, shown)) <= replaced_unit.MOST_SHOWN
    slot = of(["web.previous:" + "VXNlciB4GwpTbGljZSBhCg=="])  # "User x<ESC>", "Slice a"
    assert slot.previous_settings == (("Slice", "a"),)


def test_the_plan_of_an_adoption_shows_it_once_for_all_hosts_alike() -> None:
    app = builders.app(replaces="legacy.service")
    serves = UnitState("loaded", "active", "running", "enabled")
    sets = (("User", "legacy"), ("LimitNOFILE", "65536"))
    slot = Slot(replaces=serves, previous_name="legacy.service", previous_settings=sets)
    other = replace(slot, previous_settings=(("User", "legacy"), ("Environment", "DB_URL")))
    adopted = builders.slot(previous_name="legacy.service", previous_settings=sets)
    hosts = [
        builders.facts(number, {"web": one})
        for number, one in enumerate((slot, slot, other, adopted), start=1)
    ]
    offered = builders.offer(app, hosts, text="[Service]\nUser=web\n")
    plan = assembly.make(builders.environment(app), (offered,), builders.survey(hosts, apps=[app]))
    shown = [text for text in plan.warnings if "sets what the new unit does not" in text]
    assert [text.partition(". What")[0] for text in shown] == [
        "web: legacy.service sets what the new unit does not on host-1, host-2: "
        "User=legacy (ours: web); LimitNOFILE=65536",
        "web: legacy.service sets what the new unit does not on host-3: "
        "User=legacy (ours: web); variables DB_URL",
    ]
    assert "`limits:`" in shown[0]
