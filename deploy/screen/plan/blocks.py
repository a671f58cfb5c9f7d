"""The lists of steps of a plan, each shown once with the hosts and apps that have it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from deploy.durations import planned
from deploy.foreign_text import line, visible
from deploy.screen.plan import words
from deploy.screen.plan.ending import PROOFS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploy.events.planned import PlanMade, PlannedHost, PlannedStep

AFTER = "then, while the next batch begins: "
WORDS = {
    "prepare_host": "prepare",
    "remove_releases": "remove old releases",
    "upload_release": "upload",
    "stage_units": "verify the unit",
    "rehearse_release": "rehearse",
    "run_once": "run once",
    "deregister_target": "deregister",
    "stop_unit": "stop",
    "retire_unit": "stop and disable",
    "revive_unit": "start the previous unit",
    "switch_release": "switch",
    "start_unit": "start",
    "prove_release": "prove",
    "prove_proxy": "prove through the proxy",
    "prove_revived": "prove the previous unit",
    "register_target": "register",
    "wait_healthy": "wait until healthy",
    "watch_worker": "watch",
    "pass_smoke_tests": "smoke tests through the load balancer",
    "record_deployed": "record",
    "note_out": "note that it stops",
    "forget_out": "clear the note",
    "mark_bad": "mark the release as failed",
}
"""What kinds of steps do, in fewer words than their texts have."""
IN_FULL = frozenset({"wait_drained", "wait_quiet", "soak"})
"""The kinds of which each step's own text is short, and has its seconds."""


class Listed(NamedTuple):
    """What one host does, in words: equal for hosts that do the same.

    Attributes:
        steps: By apps (their names, comma-separated), what is done.
        after: The same of what is done while the next batch begins.
    """

    steps: tuple[tuple[str, str], ...]
    after: tuple[tuple[str, str], ...]

    @property
    def lines(self) -> Iterator[str]:
        """A line for the apps that have the same steps."""
        yield from (f"    {apps}: {listed}" for apps, listed in self.steps)
        yield from (f"    {apps}: {AFTER}{listed}" for apps, listed in self.after)


def of_staging(plan: PlanMade) -> Iterator[str]:
    """The lines for what is done before any batch, without hosts and apps that are only proven."""
    changed = {
        (host.host, step.app)
        for host in plan.staging
        for step in host.steps
        if step.kind not in PROOFS
    }
    listed: dict[Listed, list[str]] = {}
    for host in plan.staging:
        steps = [step for step in host.steps if (host.host, step.app) in changed]
        if steps:
            listed.setdefault(Listed(_by_apps(steps), ()), []).append(host.host)
    for found, hosts in listed.items():
        yield f"  {words.hosts(hosts)}"
        yield from found.lines


def of_batches(plan: PlanMade) -> Iterator[str]:
    """The lines for what is done in the batches; with several lists, which batches have each."""
    listed: dict[Listed, tuple[list[str], list[int]]] = {}
    for number, batch in enumerate(plan.batches, start=1):
        for host in batch.hosts:
            hosts, numbers = listed.setdefault(_listed(host), ([], []))
            hosts.append(host.host)
            numbers.append(number)
    for found, (hosts, numbers) in listed.items():
        when = f", {_batches(numbers)}" if len(listed) > 1 else ""
        yield f"  {words.hosts(hosts)}{when}"
        yield from found.lines


def _batches(numbers: list[int]) -> str:
    """`batch 2`, or `batches 2 to 6` for the first and the last that have it."""
    first, last = numbers[0], numbers[-1]
    return f"batch {first}" if first == last else f"batches {first} to {last}"


def _listed(host: PlannedHost) -> Listed:
    return Listed(_by_apps(host.steps), _by_apps(host.after))


def _by_apps(steps: Iterable[PlannedStep]) -> tuple[tuple[str, str], ...]:
    """What apps do, in the order of their first steps; apps that do the same together."""
    of_app: dict[str, list[str]] = {}
    for step in steps:
        of_app.setdefault(step.app, []).append(said(step))
    apps: dict[str, list[str]] = {}
    for app, each in of_app.items():
        apps.setdefault(", ".join(each), []).append(visible(app))
    return tuple((", ".join(names), listed) for listed, names in apps.items())


def said(step: PlannedStep) -> str:
    """A step in a word or two, with its wait: `prove (5 s)`."""
    if step.kind in IN_FULL:
        return line(step.text)
    word = WORDS.get(step.kind) or line(step.kind.replace("_", " ") or step.text)
    return f"{word} ({planned(step.seconds)})" if step.seconds else word
