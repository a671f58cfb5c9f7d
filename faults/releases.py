"""Bad releases: those that show it before they are healthy, and those that show it later."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from faults.ground import APP, RATE
from lab.project import ROOT, set_check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faults.ground import Ground

EARLY: dict[str, dict[str, Any]] = {
    "crashes at once": {"crash_at_once": True},
    "crashes after 3 s": {"crash_after_seconds": 3},
    "is sick": {"sick": True},
    "never listens": {"never_listen": True},
    "listens elsewhere": {"listen_port": 5999},
}
LATE_SECONDS = 6
SILENT_SECONDS = 6
"""How long one is waited for that never answers; good ones may take APP's time to start."""


def early(ground: Ground) -> None:
    """Each is found out before it serves: nothing is lost, the fleet stays on the old release."""
    for name, behaviour in EARLY.items():
        prove_seconds = 4 if "crashes after" in name else APP["prove_seconds"]
        ground.set({"prove_seconds": prove_seconds, "start_timeout_seconds": SILENT_SECONDS}, {})
        version = ground.build(**behaviour)
        with ground.trial(f"a release that {name}") as trial:
            trial.ended(ground.project.deploy(version), 1)
            trial.said = "found out, put back"
    ground.set({"prove_seconds": APP["prove_seconds"]}, {})
    _units(ground)
    ground.set({"start_timeout_seconds": APP["start_timeout_seconds"]}, {})
    version = ground.build()
    with ground.trial("a release without its executable") as trial:
        ground.set({"command": "./missing --port {port}"}, {})
        trial.ended(ground.project.deploy(version), 2)
        trial.said = "refused at the door"
    ground.set({"command": "web --port {port}"}, {})
    version = ground.build()
    with (
        ground.trial("a release that may not be executed on one host") as trial,
        spoilt(ground, version),
    ):
        trial.ended(ground.project.deploy(version, "--batch", "1"), 1)
        trial.said = "put back"


def _units(ground: Ground) -> None:
    """Units that the host refuses, and one that leaves the release no memory."""
    plain = (ROOT / "templates" / "service.j2").read_text()
    file = ground.project.folder / "unit.j2"
    ground.set({"template": str(file)}, {})
    for name, line, code in (
        ("a unit that does not verify", "Retsart=always", 1),
        ("a unit that leaves no memory", "LimitAS=8M", 1),
    ):
        file.write_text(plain.replace("[Service]\n", f"[Service]\n{line}\n", 1))
        version = ground.build()
        with ground.trial(name) as trial:
            trial.ended(ground.project.deploy(version), code)
            trial.said = "found out, put back"
    ground.set({"template": None}, {})


def late(ground: Ground) -> None:
    """Each is in service before it shows: put back, and what was lost meanwhile is bounded."""
    ground.set({}, {"rollout": {"batch": 1, "soak_seconds": LATE_SECONDS}})
    version = ground.build(crash_after_seconds=3)
    with ground.trial("a release that dies after it was healthy") as trial:
        trial.ended(ground.project.deploy(version), 1)
        trial.said, trial.may_fail = "put back", RATE * LATE_SECONDS
    ground.set({}, {"rollout": {"batch": 1}})
    set_check(ground.lab, "web-lab", HealthCheckPath="/")
    ground.set({"health": {"path": "/health"}}, {})
    version = ground.build(answer_500=True)
    with ground.trial("a release whose probe is good and whose / answers 500") as trial:
        trial.ended(ground.project.deploy(version), 1)
        trial.said, trial.may_fail = "put back", RATE * LATE_SECONDS
    set_check(ground.lab, "web-lab", HealthCheckPath="/health")
    ground.set({"health": None}, {"rollout": {"batch": 2}})


@contextmanager
def spoilt(ground: Ground, version: str, index: int = 0) -> Iterator[None]:
    """On one host the release cannot be started, from when its unit was found good there."""
    host = sorted(ground.lab.hosts, key=lambda each: each.name)[index]
    staged = f"ls /srv/web/records/units/{version}-*.service >/dev/null 2>&1"
    script = f"{staged} && chmod 0 /srv/web/releases/{version}-*/web && echo done"
    ended = threading.Event()

    def spoil() -> None:
        while not ended.wait(0.1):
            if "done" in ground.lab.shell(host, script, check=False):
                return

    thread = threading.Thread(target=spoil, daemon=True)
    thread.start()
    yield
    ended.set()
    thread.join(10)
