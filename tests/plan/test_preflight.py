"""Hosts and groups that cannot take a release are refused, all of them in one message."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders
import pytest
from builders import HEALTHY, NEW, RUNNING

from deploy.aws.targets import GONE, Health, State, Target
from deploy.errors import BadInput
from deploy.hosts.marks import Mark
from deploy.plan import assembly, exclusion, fitness, preflight
from deploy.plan.candidate import OpenedPackage
from deploy.settings.scope import Scope
from deploy.survey.slot import Listener, Slot

if TYPE_CHECKING:
    from deploy.settings.app import App
    from deploy.survey.facts import HostFacts, Survey


def opened(web: App | None = None) -> OpenedPackage:
    """The package of the new release, opened for the app."""
    return OpenedPackage(web or builders.app(), builders.package(), ("web",))


def check(hosts: list[HostFacts], *packages: OpenedPackage, **rollout: Any) -> Survey:
    """The survey of the hosts that can take the packages, which nobody named."""
    environment = builders.environment(rollout=rollout)
    scope = Scope("lab", skip_host="host-8")
    seen = builders.survey(hosts)
    return preflight.check(environment, seen, packages, scope, {}, is_default=True)


FOREIGN = Listener(7, "nginx.service", "nginx")


def refused(
    facts: dict[str, Any] | None = None,
    slot: dict[str, Any] | None = None,
    app: dict[str, Any] | None = None,
    health: Health = builders.HEALTHY,
    group: dict[str, Any] | None = None,
) -> str:
    """What is said of one host that differs from a fit one as told; empty if nothing is."""
    web = builders.app(**(app or {}))
    host = builders.facts(slots={"web": Slot(**(slot or {}))}, **(facts or {}))
    seen = builders.survey([host], {"host-1": health}, [web], **(group or {}))
    environment = builders.environment(web)
    try:
        preflight.check(environment, seen, (), Scope("lab"), {}, is_default=False)
    except BadInput as error:
        return str(error)
    return ""


def test_a_fit_host_is_left_in_peace() -> None:
    assert refused() == ""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"facts": {"init": "sh"}}, "host-1: has no systemd (process 1 is sh)"),
        ({"facts": {"init": ""}}, "host-1: has no systemd (process 1 is unknown)"),
        ({"facts": {"systemd": 219}}, "host-1: systemd 219 is too old; 240 or newer is needed"),
        (
            {"facts": {"tools": builders.TOOLS - {"ss"}}},
            "host-1: has no `ss`; install the package iproute2",
        ),
        (
            {"facts": {"tools": builders.TOOLS - {"xargs"}}},
            "host-1: has no `xargs`; install the package findutils",
        ),
        (
            {"facts": {"tools": builders.TOOLS - {"tar"}}},
            "host-1: has no `tar`; install the package tar",
        ),
        (
            {"health": Health(State.UNUSED, "Target.NotInUse", "No listener")},
            "host-1: target i-00000000000000001:5000 of web-lab is unused (Target.NotInUse): "
            "No listener",
        ),
        (
            {"slot": {"listeners": (FOREIGN,)}},
            "host-1: port 5000 of web is held by nginx.service (pid 7, nginx); stop it, choose "
            "another port, or name its unit under `replaces:`",
        ),
        (
            {"slot": {"listeners": (Listener(8, "", "python3"),)}},
            "host-1: port 5000 of web is held by python3 (pid 8, python3); stop it",
        ),
        (
            {"app": {"environment_file": "/etc/web.env"}},
            "host-1: environment_file /etc/web.env does not exist",
        ),
    ],
)
def test_what_is_wrong_is_told_with_host_and_remedy(given: dict[str, Any], expected: str) -> None:
    assert refused(**given).startswith(expected)


@pytest.mark.parametrize(
    "given",
    [
        {"slot": {"out": "{}"}, "health": GONE},
        {
            "slot": {
                "unit_state": RUNNING,
                "unit_digest": "0123456789ab",
                "listeners": (Listener(100, "web@5000.service", "web"),),
            }
        },
        {
            "slot": {"listeners": (Listener(1, "nginx.service", "nginx"),)},
            "app": {"replaces": "nginx.service"},
        },
        {"app": {"environment_file": "/etc/e"}, "slot": {"has_environment_file": True}},
        {"health": Health(State.UNHEALTHY, "Target.Timeout")},
    ],
    ids=[
        "taken out by us",
        "our own listener",
        "the unit replaced",
        "a file that is there",
        "sick",
    ],
)
def test_what_a_deploy_can_mend_is_no_reason_to_refuse(given: dict[str, Any]) -> None:
    assert refused(**given) == ""


def test_every_problem_of_every_host_is_told_at_once() -> None:
    hosts = [builders.facts(1, init="sh"), builders.facts(2, systemd=200)]
    with pytest.raises(BadInput) as problem:
        check(hosts)
    assert [line[:7] for line in str(problem.value).splitlines()[:-1]] == ["host-1:", "host-2:"]


def test_a_host_without_space_is_named_with_both_figures() -> None:
    web = builders.app()
    hosts = [builders.facts(1), builders.facts(2, free_kb=63 * 1024)]
    assert fitness.too_small([opened(web)], builders.survey(hosts)) == {
        "host-2": (
            "host-2: no space for the release: 63 MiB free under /srv, 64 MiB needed; make room "
            "there",
        )
    }


def test_a_host_without_inodes_is_named_though_it_has_space() -> None:
    """`df -h` shows half a disk free, and every write fails with `No space left on device`."""
    hosts = [builders.facts(1, free_files=10**6), builders.facts(2, free_files=900)]
    (problem,) = fitness.too_small([opened()], builders.survey(hosts))["host-2"]
    assert "900 inodes free under /srv (`df -i`), 1,0" in problem
    unlimited = [builders.facts(1, free_files=None)]
    assert fitness.too_small([opened()], builders.survey(unlimited)) == {}


def test_a_host_of_another_processor_is_named_before_anything_is_sent() -> None:
    """The program was sent, the host drained, and systemd could not execute it (203)."""
    hosts = [
        builders.facts(1, machine="x86_64"),
        builders.facts(2, machine="aarch64"),
        builders.facts(3),
    ]
    web = opened(builders.app())
    arm = {"web": frozenset({"aarch64"}), "tool": frozenset({"aarch64", "x86_64"})}
    built = replace(web, package=replace(web.package, machines=arm))
    assert fitness.other_machine([built], builders.survey(hosts)) == {
        "host-1": (
            f"host-1: {web.package.path.name} holds web for aarch64, and this host is x86_64; "
            "build the package for it",
        )
    }
    assert fitness.other_machine([web], builders.survey(hosts)) == {}


def test_what_a_torn_upload_holds_counts_as_free() -> None:
    hosts = [builders.facts(slots={"web": Slot(partial={NEW: 1024})}, free_kb=64 * 1024)]
    assert fitness.too_small([opened()], builders.survey(hosts)) == {}
    hosts = [builders.facts(slots={"web": Slot(partial={NEW: 900})}, free_kb=64 * 1024)]
    (problem,) = fitness.too_small([opened()], builders.survey(hosts))["host-1"]
    assert "64 MiB free under /srv, 64 MiB needed" in problem


def test_a_host_that_has_the_release_needs_no_space() -> None:
    host = builders.facts(slots={"web": Slot(releases=(NEW,))}, free_kb=0)
    assert fitness.too_small([opened()], builders.survey([host])) == {}


def test_within_the_policy_an_unfit_host_is_left_out_and_the_others_stay() -> None:
    hosts = [builders.facts(1), builders.facts(2, init="sh"), builders.facts(3)]
    seen = check(hosts, max_failures=1)
    assert [facts.host.name for facts in seen.hosts] == ["host-1", "host-3"]
    assert seen.left_out == {builders.host(2): "has no systemd (process 1 is sh)"}


def test_beyond_the_policy_the_words_that_leave_hosts_out_are_told() -> None:
    hosts = [builders.facts(1), builders.facts(2, init="sh"), builders.facts(3, free_kb=0)]
    with pytest.raises(BadInput) as refused:
        check(hosts, opened(), max_failures=1)
    assert str(refused.value).splitlines()[-1] == (
        "2 hosts cannot take part, and max_failures tolerates 1. Repair first, or leave out with "
        "--skip-host host-2,host-3: inv deploy --env lab --skip-host host-8,host-2,host-3"
    )
    assert "host-3: no space for the release" in str(refused.value)


def test_where_no_host_is_left_nothing_is_deployed() -> None:
    with pytest.raises(BadInput, match="No host is left for this command"):
        check([builders.facts(1, init="sh")], max_failures="100%")


def marked(*bad: int, hosts: int = 3) -> list[HostFacts]:
    """Hosts that all have the new release, which failed on those with these numbers."""
    return [
        builders.facts(
            n,
            {
                "web": Slot(
                    releases=(NEW,),
                    manifests={NEW: builders.manifest_digest(NEW)},
                    bad=frozenset({NEW} if n in bad else set()),
                )
            },
        )
        for n in range(1, hosts + 1)
    ]


def test_a_mark_of_a_minority_leaves_that_host_out_and_forbids_the_release_to_no_other() -> None:
    seen = check(marked(2), opened(), max_failures=1)
    assert [facts.host.name for facts in seen.hosts] == ["host-1", "host-3"]
    with pytest.raises(BadInput, match=f"host-2: web {NEW} failed there before; name"):
        check(marked(2), opened())


def test_a_mark_of_a_majority_forbids_it_and_a_name_permits_it() -> None:
    with pytest.raises(BadInput, match=r"inv deploy --env lab --app web .* --package 2.0.0"):
        check(marked(1, 3), opened(), max_failures=3)
    named = preflight.check(
        builders.environment(),
        builders.survey(marked(1, 3)),
        (opened(),),
        Scope("lab"),
        {},
        is_default=False,
    )
    assert len(named.hosts) == 3


def test_the_refusal_says_why_it_failed_and_how_to_lift_the_mark() -> None:
    mark = Mark(NEW, "cd" * 32, "2026-11-29T08:00:00+00:00", "me@here", why="answer 503, not 200")
    said = "marked 2026-11-29T08:00:00+00:00 by me@here under unit cdcdcdcdcdcd: answer 503"
    hosts = [
        replace(f, slots={"web": replace(f.slots["web"], marks={NEW: mark})})
        for f in marked(1, 2)[:2]
    ]
    with pytest.raises(BadInput) as refused:
        check([*hosts, *marked(3)[2:]], opened(), max_failures=3)
    lines = str(refused.value).split("\n")
    assert f"host-1: {said}, not 200" in lines
    assert "where it succeeds, the mark is removed: inv deploy" in lines[-1]
    with pytest.raises(BadInput) as refused:
        check([hosts[0], *marked(hosts=3)[1:]], opened())
    assert f"failed there before ({said}, not 200); name it to try it again" in str(refused.value)


def test_p10_what_somebody_took_out_is_named_with_what_to_type() -> None:
    slots = {"web": builders.slot()}
    hosts = [builders.facts(1, slots), builders.facts(2, slots), builders.facts(3)]
    gone = dict.fromkeys(("host-1", "host-3"), GONE)
    web = builders.app()
    seen = builders.survey(hosts, gone, [web])
    assert fitness.taken_out((web,), seen) == {
        "host-1": (
            "host-1: is no target of web-lab, though web serves or was deployed there; put it in "
            "with --join, or leave it out with --skip-host host-1",
        )
    }


@pytest.mark.parametrize(
    ("name", "typed"),
    [("web 1", "'web 1'"), ("web[1]", "'web[1]'"), ("web, blue", builders.host().instance_id)],
)
def test_a_host_is_named_as_a_shell_takes_it(name: str, typed: str) -> None:
    """A name with a comma could be read as two: its id is typed."""
    facts = builders.facts(1, {"web": builders.slot()})
    seen = builders.survey([replace(facts, host=replace(facts.host, name=name))], {name: GONE})
    ((problem,),) = fitness.taken_out((builders.app(),), seen).values()
    assert problem.endswith(f"leave it out with --skip-host {typed}")
    with pytest.raises(BadInput) as refused:
        exclusion.leave_out(
            builders.environment(),
            replace(seen, hosts=(*seen.hosts, builders.facts(2))),
            {name: ("is sick",)},
            Scope("lab"),
        )
    said = str(refused.value)
    assert f"leave out with --skip-host {typed}: inv deploy --env lab --skip-host {typed}" in said


def test_p1_what_the_group_has_on_another_port_is_not_put_in_beside() -> None:
    """Its requests come by a proxy there: they would lose their way while the app is stopped."""
    web, host = builders.app(), builders.host()
    seen = builders.survey([builders.facts(1, {"web": builders.slot()})], {"host-1": GONE}, [web])
    assert fitness.misplaced(seen, web, host) == ""
    seen.health[builders.group().arn][Target(host.instance_id, 80)] = HEALTHY
    assert fitness.taken_out((web,), seen) == {}
    assert fitness.misplaced(seen, web, host) == (
        f"host-1: web is in web-lab ({host.instance_id}:80), and not on its own port there: name a "
        "proxy's port under `target_port:`, or have its own target registered and healthy first"
    )


def test_a_new_host_is_named_in_the_plan_and_registered_when_its_release_is_proven() -> None:
    web = builders.app()
    hosts = [builders.facts(1, {"web": builders.slot()}), builders.facts(2)]
    seen = builders.survey(hosts, {"host-2": GONE}, [web])
    plan = assembly.make(builders.environment(web), (builders.offer(web, hosts),), seen)
    assert "host-2: new for web: registered in web-lab once the release is proven" in plan.warnings
    first = plan.batches[0][0]
    assert first.host.name == "host-2", "it costs no capacity"
    kinds = [type(step).__name__ for step in first.steps]
    assert kinds.index("ProveRelease") < kinds.index("RegisterTarget")
    assert not {"DeregisterTarget", "WaitDrained"} & set(kinds)
