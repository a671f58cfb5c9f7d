"""Units of an operator beside an app, and an operator who restarts what is being proven."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.load import MODEST_RATE, Load
from lab.project import until

if TYPE_CHECKING:
    from lab.fleet import Lab, LabHost
    from lab.project import Project

pytestmark = pytest.mark.hosts(2)

SIDECAR = """[Unit]
PartOf={unit}
[Service]
ExecStart=/bin/sleep infinity
"""
TIMER = """[Timer]
OnCalendar=yearly
Unit={unit}
"""
RESTART = """
of_now() {{ systemctl show -p InvocationID --value {unit}; }}
old=$(of_now); tries=0
while {{ [ "$(of_now)" = "$old" ] || ! systemctl is-active -q {unit}; }} && [ $tries -lt 600 ]; do
  tries=$((tries + 1)); sleep 0.1
done
systemctl restart {unit}
"""
"""Restarts the unit once, as needrestart does, when a deploy has started it."""


def write(lab: Lab, host: LabHost, name: str, text: str) -> None:
    lab.shell(host, f"cat > /etc/systemd/system/{name} <<'THE-END'\n{text}\nTHE-END")
    lab.shell(host, f"systemctl daemon-reload; systemctl start {name}")


def is_active(lab: Lab, host: LabHost, unit: str) -> bool:
    return lab.shell(host, f"systemctl is-active {unit}", check=False).strip() == "active"


def test_p10_what_systemd_stops_with_the_previous_unit_is_named_first(
    legacy: Project, lab: Lab
) -> None:
    first = lab.hosts[0]
    write(lab, first, "metrics.service", SIDECAR.format(unit="legacy.service"))
    write(lab, first, "legacy-again.timer", TIMER.format(unit="legacy.service"))
    legacy.build("1.0.0")
    shown = " ".join(legacy.deploy("1.0.0", "--dry-run").output.split())
    assert "systemd stops metrics.service when legacy.service is stopped" in shown
    assert "legacy-again.timer may start legacy.service again" in shown
    ran = legacy.deploy("1.0.0")
    assert ran.code == 0, ran.output
    assert not is_active(lab, first, "metrics.service")


def test_p10_what_systemd_stops_with_the_apps_own_unit_is_named_first(
    project: Project, lab: Lab
) -> None:
    project.install("1.0.0")
    first, second = lab.hosts
    write(lab, first, "metrics.service", SIDECAR.format(unit="web@5000.service"))
    tied = SIDECAR + "[Install]\nWantedBy={unit}\n"
    write(lab, second, "wanted.service", tied.format(unit="web@5000.service"))
    lab.shell(second, "systemctl enable wanted.service")
    project.build("2.0.0")
    shown = " ".join(project.deploy("2.0.0", "--dry-run").output.split())
    assert "systemd stops metrics.service when web@5000.service is stopped" in shown
    assert "wanted.service" not in shown
    ran = project.deploy("2.0.0")
    assert ran.code == 0, ran.output
    assert not is_active(lab, first, "metrics.service")
    until("what the unit wants runs again", lambda: is_active(lab, second, "wanted.service"))


def test_a_restart_by_an_operator_while_a_release_is_proven_is_not_blamed_on_it(
    project: Project, lab: Lab
) -> None:
    project.environment["rollout"] = {"batch": 1}
    project.configure()
    project.install("1.0.0")
    first = lab.hosts[0]
    project.build("2.0.0")
    script = RESTART.format(unit="web@5000.service")
    lab.shell(first, f"systemd-run --unit=restarts-once sh -c '{script}'")
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        ran = project.deploy("2.0.0")
    assert load.result.failed == 0, load.result.failures
    assert ran.code == 1, ran.output
    assert "was started again, by an operator" in " ".join(ran.output.split())
    assert "mark 2.0.0" not in ran.output
    again = project.deploy("2.0.0")
    assert again.code == 0, again.output
    assert set(project.releases().values()) == {"2.0.0"}
