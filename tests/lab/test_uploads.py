"""What travels to a host, and what comes of it there, whatever happens on the way."""

from __future__ import annotations

import hashlib
import random
import re
import time
from pathlib import Path

import pytest

from lab.fleet import Lab, LabHost
from lab.load import MODEST_RATE, Load
from lab.project import Project, Ran, called

pytestmark = pytest.mark.hosts(2)

FILES = 40
FILE_BYTES = 500_000
AT_ONCE = ("--batch", "100%", "--allow-downtime")
RECORD_BYTES = 128 * 512  # of the tar that unpacks
# In place of the host's tar: the real one, which after ten files cuts all connections, once.
CUTTING = f"""#!/bin/sh
exec /usr/bin/tar --checkpoint={10 * FILE_BYTES // RECORD_BYTES} --checkpoint-action=exec='
[ -e /tmp/unpacked ] || ls /srv/web/releases/.*.part/files/lib > /tmp/unpacked
[ -e /tmp/cut ] || {{ touch /tmp/cut; pkill -KILL -f "[s]shd: ec2-user"; }}' "$@"
"""

# The real one, which waits a second after every three files.
SLOW = f"""#!/bin/sh
exec /usr/bin/tar --checkpoint={3 * FILE_BYTES // RECORD_BYTES} --checkpoint-action=sleep=1 "$@"
"""
ONE_SESSION = "echo MaxSessions 1 > /etc/ssh/sshd_config.d/one.conf && systemctl reload ssh"
LOGGED = "Defaults use_pty, log_input, log_output, lecture=always"


def build(project: Project, version: str) -> Path:
    """A folder of 20 MB that does not compress; of its 40 libraries one is the version's own."""
    root = project.build(version, form="folder")
    (root / "lib").mkdir()
    for number in range(FILES):
        own = f"{version} " * (number == 0)
        noise = random.Random(f"{own}{number}")  # noqa: S311 - repeatable, not secret
        (root / f"lib/part{number:02}.bin").write_bytes(noise.randbytes(FILE_BYTES))
    (root / "it's \u00fcber $HOME.txt").write_text("odd\n")
    (root / "empty file").touch()
    (root / "uploads").mkdir()
    (root / "link").symlink_to("lib/part01.bin")
    return root


def deploy(project: Project, version: str) -> Ran:
    ran = project.deploy(version, *AT_ONCE)
    assert ran.code == 0, ran.output
    return ran


def sent(ran: Ran, host: LabHost) -> tuple[float, float]:
    """Megabytes that the log says were sent to the host, and of how many."""
    told = re.findall(rf"{called(host)}: \| sent ([0-9.]+) of ([0-9.]+) MB", ran.output)
    assert told, ran.output
    return float(told[-1][0]), float(told[-1][1])


def assert_as_built(lab: Lab, host: LabHost, root: Path) -> None:
    """Contents, links, modes and owners; beside it nothing is left, and its manifest holds."""
    version = root.name.removeprefix("web.")
    release = lab.shell(host, f"cd /srv/web/releases; echo /srv/web/releases/{version}-*").strip()
    script = (
        f"cd {release}; find . -type f -exec b2sum -l 256 {{}} +; find . -type l -printf '%p %l\\n'"
    )
    expected = [
        f"{hashlib.blake2b(path.read_bytes(), digest_size=32).hexdigest()}  ./{name}"
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink()
        for name in [path.relative_to(root)]
    ]
    assert sorted(lab.shell(host, script).splitlines()) == sorted(
        [*expected, "./link lib/part01.bin"]
    )
    folders, files = r"-type d -printf 'd %m %u:%g\n'", r"-type f -printf 'f %m %u:%g %n\n'"
    modes = f"cd {release}; find . {folders} -o {files}"
    assert set(lab.shell(host, modes).splitlines()) == {
        "d 750 root:web",
        "f 640 root:web 1",
        "f 750 root:web 1",
    }
    executables = lab.shell(host, f"cd {release}; find . -type f -perm 750").split()
    assert executables == ["./web"]
    lab.shell(host, f"test -d {release}/uploads")
    manifest = f"/srv/web/records/manifests/{Path(release).name}"
    lab.shell(host, f"cd {release} && b2sum --check --strict --quiet {manifest}")
    assert lab.shell(host, "ls -A /srv/web/releases | grep '^[.]' || true") == ""


@pytest.fixture
def installed(project: Project, lab: Lab) -> Project:
    """A project whose 1.0.0 was uploaded as a whole, and is right."""
    root = build(project, "1.0.0")
    ran = deploy(project, "1.0.0")
    for host in lab.hosts:
        megabytes, whole = sent(ran, host)
        assert megabytes == pytest.approx(whole, abs=0.1)
        assert_as_built(lab, host, root)
    return project


def test_a_redeploy_with_one_file_of_40_changed_sends_a_twentieth_at_most(
    installed: Project, lab: Lab
) -> None:
    """One host has lost its manifest: the control, which is sent all."""
    *others, control = lab.hosts
    lab.shell(control, "rm /srv/web/records/manifests/*")
    root = build(installed, "2.0.0")
    ran = deploy(installed, "2.0.0")
    for host in others:
        megabytes, whole = sent(ran, host)
        assert 0 < megabytes <= whole / 20
        assert_as_built(lab, host, root)
    megabytes, whole = sent(ran, control)
    assert megabytes == pytest.approx(whole, abs=0.1)
    assert_as_built(lab, control, root)
    assert installed.status()["well"]


def test_an_upload_that_is_cut_goes_on_where_it_was(project: Project, lab: Lab) -> None:
    """The host itself cuts it, when it has unpacked ten files; the others are the control.

    Its tar waits while the connection is cut, so that the upload cannot be over before.
    """
    host, *others = lab.hosts
    root = build(project, "1.0.0")
    tar = put_tar(lab, host, CUTTING)
    try:
        ran = deploy(project, "1.0.0")
    finally:
        lab.shell(host, f"rm {tar}")
    assert 5 < len(lab.shell(host, "cat /tmp/unpacked").split()) < 20
    megabytes, whole = sent(ran, host)
    assert 0 < megabytes < 0.8 * whole
    assert re.search(rf"{called(host)}: .*left there by an upload before", ran.output)
    for other in others:
        assert sent(ran, other)[0] == pytest.approx(whole, abs=0.1)
    for each in lab.hosts:
        assert_as_built(lab, each, root)


def test_a_hot_fix_on_a_host_does_not_reach_the_new_release(installed: Project, lab: Lab) -> None:
    host, other, *_ = lab.hosts
    lab.shell(host, "echo fixed > $(echo /srv/web/releases/1.0.0-*/lib/part07.bin)")
    root = build(installed, "2.0.0")
    ran = deploy(installed, "2.0.0")
    assert_as_built(lab, host, root)
    assert "fixed" in lab.shell(host, "cat /srv/web/releases/1.0.0-*/lib/part07.bin")
    one = FILE_BYTES / 1_000_000
    assert sent(ran, host)[0] == pytest.approx(2 * one, abs=0.1), "the fixed one too"
    assert sent(ran, other)[0] == pytest.approx(one, abs=0.1)
    assert_as_built(lab, other, root)
    assert installed.status()["well"]


def test_repair_removes_what_an_upload_left(installed: Project, lab: Lab) -> None:
    part = "/srv/web/releases/.9.0.0-0123456789ab.part"
    for host in lab.hosts:
        lab.shell(host, f"mkdir -p {part}/files; touch {part}/files/web")
    ran = installed.inv("repair", "--env", "lab")
    assert ran.code == 0, ran.output
    for host in lab.hosts:
        assert lab.shell(host, "ls -A /srv/web/releases | grep '^[.]' || true") == ""


def put_tar(lab: Lab, host: LabHost, script: str) -> str:
    """Put a script in place of a host's tar; returns its path."""
    tar = "/usr/local/bin/tar"
    lab.shell(host, f"cat > {tar} <<'THE-END'\n{script}THE-END\nchmod 755 {tar}")
    return tar


def test_p5_an_upload_longer_than_the_lock_may_be_silent_keeps_it_where_sshd_allows_one_session(
    project: Project, lab: Lab
) -> None:
    """Case 41: sshd refused each beat of the lock beside the upload."""
    project.install("1.0.0")
    project.environment["lock_ttl_seconds"] = 4
    project.configure()
    build(project, "2.0.0")
    for host in lab.hosts:
        lab.shell(host, ONE_SESSION)
        put_tar(lab, host, SLOW)
    try:
        with Load(lab.url("web"), rate=MODEST_RATE) as load:
            began = time.monotonic()
            ran = project.deploy("2.0.0")
    finally:
        for host in lab.hosts:
            lab.shell(host, "rm /usr/local/bin/tar")
    assert ran.code == 0, ran.output
    assert time.monotonic() - began > 2 * 4
    assert load.result.failed == 0, load.result.failures
    assert set(project.releases().values()) == {"2.0.0"}


def test_an_upload_through_a_sudo_that_logs_what_it_reads_arrives_whole(
    project: Project, lab: Lab
) -> None:
    """Case 43: with a pseudo-terminal between, and every byte written to a log."""
    root = build(project, "1.0.0")
    for host in lab.hosts:
        lab.shell(host, f"umask 337; echo '{LOGGED}' > /etc/sudoers.d/logged; visudo -c -q")
    deploy(project, "1.0.0")
    for host in lab.hosts:
        assert_as_built(lab, host, root)
        logged = lab.shell(host, "du -sm /var/log/sudo-io | cut -f1; rm -r /var/log/sudo-io")
        assert int(logged) >= FILES * FILE_BYTES // 1_000_000, "the control: it was logged"
