"""Finds the newest run, which a rollback undoes, by the hosts' records of each app. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.folding import joined
from deploy.recovery.history import Past, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from deploy.hosts.records import Record
    from deploy.settings.environment import Environment
    from deploy.settings.scope import Scope
    from deploy.survey.facts import Survey
    from deploy.survey.slot import Slot


STAYS = (
    "stays there, since the newest run did not change it: more than one release runs afterwards. "
    "To change that"
)


def newest_run(pasts: Mapping[str, Past], scope: Scope) -> dict[str, str]:
    """The apps that the newest run deployed, each with the release to go back to.

    Raises:
        BadInput: There is nothing to go back to, or more than one run is the newest: then each
            is listed with the command that undoes it.
    """
    known = {app: past for app, past in pasts.items() if past.has_newest}
    if not known:
        raise BadInput(*(past.nothing() for past in pasts.values()))
    newest = {
        app: past
        for app, past in known.items()
        if not any(_is_older(past, other) for name, other in known.items() if name != app)
    }
    newest = newest or known  # each came before another one, by hosts that contradict each other
    first = next(iter(newest.values()))
    if any(len(past.newest) > 1 for past in newest.values()) or not all(
        _is_same_run(first, past) for past in newest.values()
    ):
        raise BadInput(*_listed(newest, scope))
    targets = {app: past.before(*past.newest) for app, past in newest.items()}
    lost = [newest[app].nothing() for app, target in targets.items() if target is None]
    if lost:
        raise BadInput(*lost)
    return {app: target for app, target in targets.items() if target}


def _shared(one: Past, other: Past) -> list[tuple[str, Record, Record]]:
    """Hosts on which the newest releases of both apps are what was deployed last."""
    return [
        (host, mine, other.tops[host])
        for host, mine in one.tops.items()
        if mine.release in one.newest
        and host in other.tops
        and other.tops[host].release in other.newest
    ]


def _is_same_run(one: Past, other: Past) -> bool:
    """Whether a majority of the hosts that have both apps got them in one run."""
    if one is other:
        return True
    votes = [bool(mine.run) and mine.run == theirs.run for _, mine, theirs in _shared(one, other)]
    return 2 * sum(votes) > len(votes)


def _is_older(one: Past, other: Past) -> bool:
    """Whether the run that deployed `one` last had deployed `other` too, and another came since.

    A majority of the hosts that have both apps says so.
    """
    votes = [
        mine.run != theirs.run and mine.run in _runs_before(other.landing[host].history, theirs)
        for host, mine, theirs in _shared(one, other)
    ]
    return 2 * sum(votes) > len(votes)


def _runs_before(history: Sequence[Record], top: Record) -> set[str]:
    """The runs that are known to have come before the one that a record is of."""
    place = next((n for n, record in enumerate(history) if record == top), 0)
    return {record.run for record in history[:place] if record.run}


def _listed(newest: Mapping[str, Past], scope: Scope) -> list[str]:
    """One line for each release that may be meant, with the command that takes it back."""
    lines = ["More than one run may be meant; type one of these:"]
    for app, past in newest.items():
        for release in past.newest:
            holders = past.holders(release)
            mine = scope.of_app(app)
            if len(past.newest) > 1:
                mine = mine.only(holders)
            count = f"{len(holders)} of {len(past.everyone)} hosts"
            lines.append(f"  {app} {release}, on {count}: {mine.again()}")
    return lines


def on_few_hosts(
    survey: Survey, wanted: Mapping[str, Mapping[str, Record]], scope: Scope
) -> Iterator[str]:
    """What the operator should know of a run that was on a minority of the hosts."""
    for app, records in wanted.items():
        own = [
            facts.host
            for facts in survey.hosts
            if (record := records.get(facts.host.name)) and _moves(facts.slots[app], record)
        ]
        if own and 2 * len(own) < len(survey.hosts):
            yield (
                f"the newest run of {app} is on {len(own)} of {len(survey.hosts)} hosts, and only "
                f"these go back: {', '.join(map(str, own))}. To take the others back: "
                f"{scope.of_app(app).without(host.typed for host in own).again()}"
            )


def on_other_releases(
    environment: Environment,
    survey: Survey,
    wanted: Mapping[str, Mapping[str, Record]],
    scope: Scope,
) -> Iterator[str]:
    """What the operator should know where more than one release runs after the rollback.

    The newest run did not reach these hosts, nor are they on what came before it.
    """
    for app in environment.asked_apps:
        records = wanted[app.name]
        after = {record.release for record in records.values()}
        running = {
            on.host.name: on.running_name
            for on in survey.everywhere(app)
            if on.host.name not in records and on.running_name
        }
        if len(after.union(running.values())) <= 1:
            continue
        if not after:
            shown = "; ".join(joined(running.items()))
            yield f"{app.name} runs more than one release, and this does not change it: {shown}"
            continue
        (release,) = after
        past, mine = Past.of(app, environment, survey), scope.of_app(app.name)
        yield from joined(
            (host, f"{app.name} {stays} {STAYS}: {_along(past, host, release, mine)}")
            for host, stays in running.items()
            if stays != release
        )


def _along(past: Past, host: str, release: str, scope: Scope) -> str:
    """What takes a host to the release, or the previous unit, that the others go back to."""
    found, _ = past.records([host], release, is_named=True)
    if found:
        return scope.command("rollback", "--to", release)
    if version := version_of(release):
        return scope.command("deploy", "--package", version)
    return f"put the file of {release} back there"


def _moves(slot: Slot, record: Record) -> bool:
    """Whether the host is to run something else than now."""
    if record.is_previous:
        return not slot.runs(record.release, record.unit_digest)
    return slot.runs_previous or slot.link != record.release
