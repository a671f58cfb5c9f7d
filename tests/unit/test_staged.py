"""A release is started beside the one that serves, by its own unit and on another port."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.unit import rendering, staged
from deploy.unit.spec import UnitSpec

STAGED = "/srv/web/releases/2.0.0-bbbbbbbbbbbb"
SPEC = UnitSpec(
    app="web",
    port=20123,
    release="2.0.0-bbbbbbbbbbbb",
    description="web on port 20123",
    command=("web", "--port", "20123"),
    executable_in_package=True,
    user="web",
    group="web",
    type="notify",
    environment=(("MODE", "fast"),),
    environment_file="/etc/web.env",
    stop_timeout_seconds=600,
    start_timeout_seconds=30,
    restart_seconds=2.0,
)


def text(template: Path | None = None) -> list[str]:
    unit = rendering.render(template, SPEC, 252)
    return staged.started(unit, STAGED, 90).splitlines()


def test_it_starts_what_the_unit_starts_on_the_staged_release() -> None:
    found = text()
    for line in (
        f"BindReadOnlyPaths={STAGED}:/srv/web/current",
        "ExecStart=/srv/web/current/web --port 20123",
        "Environment=PORT=20123",
        "EnvironmentFile=/etc/web.env",
        "Type=notify",
        "User=web",
        "PrivateTmp=yes",
    ):
        assert line in found


def test_it_ends_by_itself_and_takes_nothing_from_the_service_that_runs() -> None:
    found = text()
    assert found[-5:] == [
        "Restart=no",
        "KillMode=control-group",
        "RuntimeDirectoryPreserve=yes",
        "RuntimeMaxSec=90",
        "TimeoutStopSec=5",
    ]
    names = [line.partition("=")[0] for line in found]
    assert names.count("Restart") == names.count("TimeoutStopSec") == 1
    assert names.count("KillMode") == 1
    assert not {"RestartSec", "RemoveIPC", "WantedBy"} & {*names}


@pytest.mark.parametrize(
    "name", ["RuntimeDirectoryPreserve=no", "PIDFile=/run/web.pid", "Restart=always"]
)
def test_what_a_template_adds_does_not_change_that(tmp_path: Path, name: str) -> None:
    own = tmp_path / "own.j2"
    given = rendering.DEFAULT_TEMPLATE.read_text()
    own.write_text(given.replace("[Service]\n", f"[Service]\n{name}\nNice=%p\n", 1))
    found = text(own)
    assert name not in found
    assert "Nice=web" in found, "specifiers are those of the real unit"


def test_a_job_runs_to_its_end_as_the_unit_would_and_leaves_the_service_alone() -> None:
    unit = rendering.render(None, SPEC, 252)
    found = staged.job(unit, STAGED, "/srv/web/current/migrate --all", 900).splitlines()
    for line in (
        f"BindReadOnlyPaths={STAGED}:/srv/web/current",
        "WorkingDirectory=/srv/web/current",
        "ExecStart=/srv/web/current/migrate --all",
        "Type=oneshot",
        "RemainAfterExit=yes",
        "TimeoutStartSec=900",
        "TimeoutStopSec=600",
        "Environment=PORT=20123",
        "EnvironmentFile=/etc/web.env",
        "User=web",
        "PrivateTmp=yes",
    ):
        assert found.count(line) == 1, line
    names = {line.partition("=")[0] for line in found}
    assert not names & {"Restart", "RestartSec", "SuccessExitStatus", "RemoveIPC", "WantedBy"}
    assert not [line for line in found if "notify" in line or "current/web " in line]


def test_a_job_of_a_template_of_ones_own_runs_none_of_its_commands(tmp_path: Path) -> None:
    template = tmp_path / "own.j2"
    template.write_text(
        rendering.DEFAULT_TEMPLATE.read_text().replace(
            "[Install]",
            "ExecStartPre=/bin/touch /tmp/%i\nExecStopPost=/bin/false\nWatchdogSec=5\n"
            "NotifyAccess=all\nRuntimeDirectory=web\nEnvironment=SLOT=%i\n[Install]",
        )
    )
    unit = rendering.render(template, SPEC, 252)
    found = staged.job(unit, STAGED, "/bin/true", 60).splitlines()
    assert "Environment=SLOT=20123" in found
    assert "RuntimeDirectoryPreserve=yes" in found, "it is the running service's, too"
    assert [line for line in found if line.startswith(("Exec", "Watch", "Notify"))] == [
        "ExecStart=/bin/true"
    ]
