"""Case 10 on real hosts: many hosts behind one jump host, whose sshd has its default limits."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from lab.aws import IMAGE
from lab.fleet import Lab, LabHost
from lab.load import MODEST_RATE, Load
from lab.podman import as_root, podman
from lab.project import Project

LIMITS = "maxstartups 10:30:100"
BEHIND, FLEET, LOOKS = 12, 30, 3


def jump_config(tmp_path: Path, lab: Lab, jump: LabHost, pattern: str) -> str:
    """A home whose ssh configuration leads to these hosts by way of a jump host."""
    folder = tmp_path / "home" / ".ssh"
    folder.mkdir(parents=True, exist_ok=True)
    # A jump host's key is ssh's own matter: `ssh: key_files:` are for the hosts.
    (folder / "config").write_text(
        f"Host {jump.address}\n    IdentityFile {lab.folder}/id_ed25519\n    ProxyJump none\n"
        f"Host {pattern}\n    ProxyJump ec2-user@{jump.address}\n"
    )
    return str(tmp_path / "home")


def logins(lab: Lab, jump: LabHost) -> int:
    """How many logins a host's sshd has accepted."""
    said = lab.shell(jump, "journalctl --unit ssh --output cat | grep -c 'Accepted publickey' || :")
    return int(said)


@pytest.fixture
def many(lab: Lab, project: Project) -> Iterator[list[str]]:
    """Thirty instances whose addresses are those of one host; the project lists them."""
    machine, ec2 = lab.hosts[1], lab.client("ec2")
    network = next(
        each["CidrBlock"]
        for each in ec2.describe_subnets()["Subnets"]
        if ip_address(machine.address) in ip_network(each["CidrBlock"])
    )
    subnet = next(
        each["SubnetId"]
        for each in ec2.describe_subnets()["Subnets"]
        if each["CidrBlock"] == network
    )
    addresses = [str(each) for each in ip_network(network).hosts()][-FLEET:]
    key = (lab.folder / "hosts" / machine.name / "ssh_host_ed25519_key.pub").read_text().split()
    known = project.folder / "known_hosts"
    known.write_text("".join(f"{each} {key[0]} {key[1]}\n" for each in addresses))
    made = [
        ec2.run_instances(
            ImageId=IMAGE, MinCount=1, MaxCount=1, SubnetId=subnet, PrivateIpAddress=each
        )["Instances"][0]["InstanceId"]
        for each in addresses
    ]
    # Not by the host itself, which may not change its network.
    pid = podman("inspect", "--format", "{{.State.Pid}}", machine.name).stdout.strip()
    ip = [*as_root(), "nsenter", "-t", pid, "-n", "ip", "address"]
    for each in addresses:
        subprocess.run([*ip, "add", f"{each}/32", "dev", "eth0"], check=True)
    project.environment["hosts"] = addresses
    project.environment["foreign_targets"] = "warn"
    project.environment["ssh"] = {
        "user": "ec2-user",
        "key_files": [str(lab.folder / "id_ed25519")],
        "known_hosts": [str(lab.folder / "known_hosts"), str(known)],
    }
    project.configure()
    yield addresses
    for each in addresses:
        subprocess.run([*ip, "del", f"{each}/32", "dev", "eth0"], check=False)
    ec2.terminate_instances(InstanceIds=made)


def test_thirty_hosts_behind_one_jump_host_are_all_read(
    project: Project, lab: Lab, many: list[str], tmp_path: Path
) -> None:
    jump = lab.hosts[0]
    assert LIMITS in lab.shell(jump, "sshd -T")
    home = jump_config(tmp_path, lab, jump, " ".join(many))
    for _ in range(LOOKS):
        before = logins(lab, jump)
        ran = project.start("status", "--env", "lab", "--json", HOME=home).wait()
        rows = json.loads(ran.stdout)["hosts"]
        assert sorted(row["host"] for row in rows) == sorted(many)
        assert [row for row in rows if not row["readable"]] == []
        assert logins(lab, jump) == before + 1


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A fleet, and one host more."""
    lab = Lab.up(tmp_path_factory.mktemp("behind"), BEHIND + 1, ("bookworm",))
    yield lab
    lab.down()


@pytest.mark.long(100)
def test_p1_a_deploy_to_hosts_behind_a_jump_host_loses_no_request(
    booted: Lab, tmp_path: Path
) -> None:
    """Also where the jump host's sshd cuts the connection that all hosts share."""
    fleet, jump = booted.first(BEHIND), booted.hosts[BEHIND]
    fleet.reset()
    fleet.knobs(time_divisor=5)
    assert LIMITS in booted.shell(jump, "sshd -T")
    home = jump_config(tmp_path, fleet, jump, "*")
    project = Project.on(tmp_path, fleet)
    project.environment["hosts"] = [host.address for host in fleet.hosts]
    project.configure()
    project.install("1.0.0")
    project.build("2.0.0")
    before = logins(booted, jump)
    words = ("deploy", "--env", "lab", "--package", "2.0.0", "--yes", "--batch", "4")
    with Load(fleet.url("web"), rate=MODEST_RATE) as load:
        running = project.start(*words, HOME=home)
        running.until("batch 2 of")
        booted.shell(jump, "pkill -u ec2-user sshd")
        ran = running.wait()
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    assert set(project.releases().values()) == {"2.0.0"}
    assert logins(booted, jump) == before + 2
