"""Before the first drain each host finds out whether the command can be executed there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lab.fleet import Lab
    from lab.project import Project

HOME = "/home/deploy/bin"
UNDO = f"umount -l /srv/web/releases 2>/dev/null; rm -rf {HOME}; true"
COMMANDS: dict[str, tuple[str, dict[str, Any], str]] = {
    "an interpreter that is nowhere": (
        "sh -c true",
        {"command": "no-such-runtime app.js"},
        "is not executable",
    ),
    "an interpreter that ProtectHome hides": (
        f"mkdir -p {HOME} && cp /bin/sleep {HOME}/runtime && chmod -R a+rx /home/deploy",
        {"command": f"{HOME}/runtime 5"},
        "does not work here because of ProtectHome=",
    ),
    "a library that is missing": (
        f"mkdir -p {HOME} && LC_ALL=C sed s/libc.so.6/libq.so.6/g /bin/sleep > {HOME}/runtime && "
        f"chmod -R a+rx /home/deploy",
        {"command": f"{HOME}/runtime 5", "sandbox": {"ProtectHome": False}},
        "libq.so.6",
    ),
    "a mount with noexec": (
        "mount --bind /srv/web/releases /srv/web/releases && "
        "mount -o remount,bind,noexec /srv/web/releases",
        {},
        "is not executable",
    ),
}


@pytest.mark.hosts(2)
@pytest.mark.parametrize("name", COMMANDS)
def test_p8_a_command_that_cannot_run_is_refused_while_all_hosts_serve(
    project: Project, lab: Lab, name: str
) -> None:
    project.install("1.0.0")
    prepare, settings, said = COMMANDS[name]
    for host in lab.hosts:
        lab.shell(host, prepare)
    project.web.update(settings)
    project.configure()
    project.build("2.0.0")
    seen = len(lab.events())
    try:
        ran = project.deploy("2.0.0")
        assert ran.code == 2, ran.output
        assert said in " ".join(ran.output.split())
        assert len(lab.events()) == seen, "a target was touched"
        assert set(project.releases().values()) == {"1.0.0"}
        failed = lab.shell(lab.hosts[0], "ls /srv/web/records/bad 2>/dev/null; true")
        assert failed == "", "it is no fault of the release"
    finally:
        for host in lab.hosts:
            lab.shell(host, UNDO)
