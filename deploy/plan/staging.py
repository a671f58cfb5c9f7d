"""Steps that stage a release while the host serves: only what is missing there is sent. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.package import manifest
from deploy.steps.records import RecordDeployed
from deploy.steps.rehearsal import EndRehearsal
from deploy.steps.staging import PrepareHost, RemoveReleases, StageUnits, UploadRelease
from deploy.steps.verify import ProveCurrent
from deploy.survey import check

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from deploy.package.opening import Package
    from deploy.plan.candidate import Offer
    from deploy.plan.host_plan import Goal
    from deploy.steps.base import Step
    from deploy.survey.app_on_host import AppOnHost
    from deploy.survey.slot import Slot


def is_current(offer: Offer, on: AppOnHost) -> bool:
    """The record, the link, the unit on disk, the running process and the target all agree."""
    return on.is_healthy and on.slot.runs_exactly(offer.package.release.id, offer.unit(on))


def differs(package: Package, on: AppOnHost) -> str:
    """Return why a release on a host is not this package, although it has its id.

    Empty where it is this package, or is not there. An id has 48 bits of the digest; the stored
    manifest has the digest of every file.
    """
    release, slot, name = package.release, on.slot, on.app.name
    if release.id not in slot.releases:
        return ""
    expected = manifest.stored_digests(package.manifest, release.digest)
    if slot.manifests.get(release.id) in expected:
        return ""
    why = "other files" if release.id in slot.manifests else "no manifest"
    return (
        f"{on.host}: {name} {release.id} is there with {why}, so it is not this "
        f"package; build it under another version, or if nothing there runs it: "
        f"sudo rm -r /srv/{name}/releases/{release.id}"
    )


def staged(offer: Offer, on: AppOnHost, goal: Goal | None) -> list[Step]:
    """The steps for an offer on a host: its files and units, or where it is current its proof.

    goal: what the app is to run there; None where it is current.
    """
    app, host, release = on.app, on.host, offer.package.release.id
    slot, unit = on.slot, offer.unit(on)
    if goal is None:
        proof = ProveCurrent(host, app, release, check.of(on).of_old())
        last, wanted = slot.deployed, (release, unit.digest)
        is_recorded = last and (last.release, last.unit_digest) == wanted and not slot.out
        return [proof] if is_recorded else [proof, RecordDeployed(host, app, *wanted)]
    found: list[Step] = [EndRehearsal(host, app)] if slot.has_rehearsal else []
    found.append(PrepareHost(host, app))
    beside = on.spare.slot.link if on.spare else ""
    older = goal.older.release if goal.older else ""
    old = superfluous(slot, release, offer.app.keep_releases, {beside, older})
    coming = "" if release in slot.releases else release
    if old or slot.partial.keys() - {coming}:
        found.append(RemoveReleases(host, app, old, coming))
    if coming:
        found.append(UploadRelease(host, app, offer.package))
    keys = [(host.name, each.port) for each in offer.app.slots]
    units = tuple(offer.units[key] for key in keys)
    checks = tuple(offer.checks[key] for key in keys)
    trials = tuple(dict.fromkeys(offer.trials[key] for key in keys if key in offer.trials))
    found.append(StageUnits(host, app, release, units, checks, trials))
    return found


def superfluous(
    slot: Slot, coming: str, keep: int, needed: AbstractSet[str] = frozenset()
) -> tuple[str, ...]:
    """The releases to remove so that `keep` remain when `coming` is there.

    Never what is needed otherwise, what runs, what the slot points to, what was deployed last
    or before that. Beyond these the longest unused go first, and before them those that were
    never deployed.
    """
    deployed = [record for record in reversed(slot.history) if not record.is_previous]
    used = list(dict.fromkeys(record.release for record in deployed))
    safe = {coming, slot.link, slot.running_release, *used[:2], *needed}
    rank = {release: place for place, release in enumerate(used)}
    others = sorted(
        (release for release in slot.releases if release not in safe),
        key=lambda release: (rank.get(release, len(rank)), release),
    )
    room = max(0, keep - len(safe & {coming, *slot.releases}))
    return tuple(others[room:])
