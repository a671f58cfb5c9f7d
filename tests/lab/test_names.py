"""Instances as an Auto Scaling group makes them: all with one Name tag, and an awkward one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.load import MODEST_RATE, Load

if TYPE_CHECKING:
    from lab.fleet import Lab
    from lab.project import Project


@pytest.fixture(params=["web", "web [blue], eu"], ids=["plain", "with brackets and a comma"])
def name(lab: Lab, request: pytest.FixtureRequest) -> str:
    """What every host's instance is called; the lab's reset gives each its own name again."""
    tag = {"Key": "Name", "Value": str(request.param)}
    ids = [host.instance_id for host in lab.hosts]
    lab.client("ec2").create_tags(Resources=ids, Tags=[tag])
    return str(request.param)


def rows(project: Project) -> dict[str, str]:
    """The version that runs, by the name that `inv status` shows."""
    return {row["host"]: row["release"].rpartition("-")[0] for row in project.status()["hosts"]}


@pytest.mark.hosts(2)
def test_p1_p11_hosts_of_one_name_are_told_apart_by_their_ids(
    project: Project, lab: Lab, name: str
) -> None:
    """Refused before: the hosts of every Auto Scaling group have one name."""
    first, second = sorted(f"{name}/{host.instance_id}" for host in lab.hosts)
    project.install("1.0.0", anew=True)
    project.build("2.0.0")
    assert rows(project) == {first: "1.0.0", second: "1.0.0"}
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        one = project.deploy("2.0.0", "--hosts", first)
        assert rows(project) == {first: "2.0.0", second: "1.0.0"}
        other = project.deploy("2.0.0", "--skip-host", first.rpartition("/")[2])
        back = project.inv("rollback", "--env", "lab", "--yes", "--hosts", second)
    assert (one.code, other.code, back.code) == (0, 0, 0), one.output + other.output + back.output
    assert load.result.failed == 0, load.result.failures
    assert rows(project) == {first: "2.0.0", second: "1.0.0"}
    assert f"{second}: deployed" in other.output.replace("\n", " ")


@pytest.mark.hosts(2)
def test_a_name_that_several_hosts_have_is_refused_with_theirs(
    project: Project, lab: Lab, name: str
) -> None:
    project.install("1.0.0", anew=True)
    ran = project.deploy("1.0.0", "--hosts", name)
    assert ran.code == 2, ran.output
    flat = " ".join(ran.output.split())
    for host in lab.hosts:
        assert f"{name}/{host.instance_id}" in flat
