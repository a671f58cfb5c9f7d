"""What lies on a host already, and the steps that bring the rest while it serves. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from deploy.aws.targets import State
from deploy.package import manifest
from deploy.steps import verify
from deploy.steps.records import RecordDeployed
from deploy.steps.staging import PrepareHost, RemoveReleases, StageUnits, UploadRelease
from deploy.steps.verify import ProveCurrent

if TYPE_CHECKING:
    from deploy.package.opening import Package
    from deploy.plan.candidate import Offer
    from deploy.settings.app import App
    from deploy.steps.base import Step
    from deploy.survey.facts import HostFacts, Slot, Survey
    from deploy.unit.unit_file import RenderedUnit


def is_current(offer: Offer, facts: HostFacts, survey: Survey) -> bool:
    """The record, the link, the unit on disk, the running process and the target all agree."""
    slot, unit = facts.slots[offer.app.name], offer.unit(facts)
    health = survey.health_of(facts.host, offer.app)
    return runs(slot, offer.package.release.id, unit) and health.state is State.HEALTHY


def runs(slot: Slot, release: str, unit: RenderedUnit) -> bool:
    """Whether the slot's running process is this release under this unit, at rest and at boot.

    A drop-in is a setting that is not ours, so under one nothing is current.
    """
    return (
        slot.runs(release, unit.digest)
        and not slot.unit.has_drop_ins
        and slot.unit_sha256 == hashlib.sha256(unit.text.encode()).hexdigest()
    )


def differs(app: App, package: Package, facts: HostFacts) -> str:
    """Why a release that lies on a host is not this package, though it has its id.

    Empty where it is this package, or is not there. An id has 48 bits of the digest; the stored
    manifest has the digest of every file.
    """
    release, slot = package.release, facts.slots[app.name]
    if release.id not in slot.releases:
        return ""
    expected = manifest.stored_digests(package.manifest, release.digest)
    if slot.manifests.get(release.id) in expected:
        return ""
    why = "other files" if release.id in slot.manifests else "no manifest"
    return (
        f"{facts.host}: {app.name} {release.id} is there with {why}, so it is not this "
        f"package; build it under another version, or if nothing there runs it: "
        f"sudo rm -r /srv/{app.name}/releases/{release.id}"
    )


def staged(offer: Offer, facts: HostFacts, survey: Survey, due: tuple[Offer, ...]) -> list[Step]:
    """The steps for an offer on a host: its files and units, or where it is current its proof.

    due: the offers that are not current there.
    """
    app, host, release = facts.at(offer.app), facts.host, offer.package.release.id
    slot, unit = facts.slots[app.name], offer.unit(facts)
    if offer not in due:
        proof = ProveCurrent(host, app, release, *verify.question(app, survey.groups[app.name]))
        last = slot.deployed
        is_told = last and (last.release, last.unit) == (release, unit.digest) and not slot.out
        return [proof] if is_told else [proof, RecordDeployed(host, app, release, unit.digest)]
    found: list[Step] = [PrepareHost(host, app)]
    spare = facts.spares.get(app.name)
    old = superfluous(slot, release, app.keep_releases, spare.link if spare else "")
    coming = "" if release in slot.releases else release
    if old or slot.partial.keys() - {coming}:
        found.append(RemoveReleases(host, app, old, coming))
    if coming:
        found.append(UploadRelease(host, app, offer.package))
    keys = [(host.name, port) for port in app.ports]
    units = tuple(offer.units[key] for key in keys)
    checks = tuple(offer.checks[key] for key in keys)
    trials = tuple(dict.fromkeys(offer.trials[key] for key in keys if key in offer.trials))
    found.append(StageUnits(host, app, release, units, checks, trials))
    return found


def superfluous(slot: Slot, coming: str, keep: int, beside: str = "") -> tuple[str, ...]:
    """The releases to remove so that `keep` remain when `coming` is there.

    Never what runs, what the slot points to, or the other one (beside), what was deployed last
    or before that. Beyond these the longest unused go first, and before them those that were
    never deployed.
    """
    used = list(dict.fromkeys(record.release for record in reversed(slot.history)))
    safe = {coming, slot.link, beside, slot.running_release, *used[:2]}
    rank = {release: place for place, release in enumerate(used)}
    others = sorted(
        (release for release in slot.releases if release not in safe),
        key=lambda release: (rank.get(release, len(rank)), release),
    )
    room = max(0, keep - len(safe & {coming, *slot.releases}))
    return tuple(others[room:])
