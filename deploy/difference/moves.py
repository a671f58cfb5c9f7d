"""Which release a plan gives each app on each host, read from its steps. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.hosts.scripts.service import kept_unit
from deploy.steps.staging import StageUnits, UploadRelease
from deploy.steps.unit import ReviveUnit, SwitchRelease

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.package.opening import Package
    from deploy.steps.base import Step
    from deploy.survey.app_on_host import AppOnHost

UNITS = "/etc/systemd/system"


@dataclass(frozen=True)
class Move:
    """An app on one host that is given a release, or the unit back that it replaced.

    Attributes:
        on: The app there, in the slot in use.
        after: The release that it is given, or that unit's name.
        unit_digest: Of the unit that the release runs under; empty for a previous unit.
        package: What the release is made of, where it is a package that is deployed.
        unit_text: The text of the unit to come, for the slot in use; empty where it is on the host.
        is_sent: Whether the release does not lie there yet.
    """

    on: AppOnHost
    after: str
    unit_digest: str
    package: Package | None = field(default=None, repr=False)
    unit_text: str = field(default="", repr=False)
    is_sent: bool = False

    @property
    def before(self) -> str:
        """The release that runs in the slot in use, or the unit that is replaced.

        Where neither is known to run, the release that the slot points to; empty for none.
        """
        return self.on.running_name or self.on.slot.link

    @property
    def key(self) -> tuple[object, ...]:
        """A key that is equal for hosts with the same change, as far as the survey knows."""
        slot = self.on.slot
        manifests = [slot.manifests.get(each, "") for each in (self.before, self.after)]
        unit = (self.on.unit_name, slot.unit_sha256, self.unit_digest, self.unit_text)
        return (self.on.app.name, self.before, self.after, *manifests, *unit, self.is_sent)

    @property
    def stored(self) -> tuple[str, ...]:
        """The releases whose stored manifests say what changes."""
        wanted = {self.before} if self.package else {self.before, self.after}
        return tuple(sorted(wanted & self.on.slot.manifests.keys()))

    @property
    def unit_file(self) -> str:
        """The unit file of the slot in use; empty where there is none."""
        return f"{UNITS}/{self.on.unit_name}" if self.on.slot.unit_sha256 else ""

    @property
    def stored_unit(self) -> str:
        """The file in which the unit to come lies on the host; empty where the plan has its text.

        A unit that the host does not have for this slot is not known.
        """
        name = f"{self.after}.{self.unit_digest}"
        if self.unit_text or not self.unit_file or name not in self.on.slot.kept:
            return ""
        return kept_unit(self.on.app.name, self.on.unit_name, self.after, self.unit_digest)


def of_steps(
    steps: Iterable[Step],
    running: Mapping[tuple[str, str], AppOnHost],
    packages: Mapping[str, Package],
) -> tuple[Move, ...]:
    """The moves of a plan, in the order of its steps; of one that moves an app twice, the last.

    Args:
        steps: All of the plan.
        running: The app on each host, by the names of host and app.
        packages: What is deployed, by the app's name.
    """
    sent: set[tuple[str, str]] = set()
    units: dict[tuple[str, str], str] = {}
    found: dict[tuple[str, str], Move] = {}
    for step in steps:
        key = step.host.name, step.app.name
        match step:
            case UploadRelease():
                sent.add(key)
            case StageUnits():
                units |= {(step.host.name, unit.name): unit.text for unit in step.units}
            case SwitchRelease() if on := running.get(key):
                package = packages.get(step.app.name)
                is_packages = package is not None and package.release.id == step.release
                found[key] = Move(
                    on,
                    step.release,
                    step.unit_digest,
                    package if is_packages else None,
                    units.get((step.host.name, on.unit_name), ""),
                    key in sent,
                )
            case ReviveUnit() if on := running.get(key):
                found[key] = Move(on, step.unit_name, "")
    return tuple(found.values())
