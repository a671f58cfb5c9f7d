"""The releases of one app by its hosts' records: the newest and the one before it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.hosts import release_stack
from deploy.hosts.records import Record, is_previous
from deploy.plan import host_steps
from deploy.recovery import chronology

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.plan.exclusion import Problems
    from deploy.recovery.chronology import Chronology
    from deploy.settings.app import App
    from deploy.settings.environment import Environment
    from deploy.survey.facts import Survey
    from deploy.survey.slot import Slot


@dataclass(frozen=True)
class Past:
    """One app's records on every host that was read.

    Attributes:
        app: The app.
        landing: By host name, the slot that the app's next release takes.
        running: By host name, the slot in use.
    """

    app: App
    landing: Mapping[str, Slot]
    running: Mapping[str, Slot]

    @classmethod
    def of(cls, app: App, environment: Environment, survey: Survey) -> Past:
        """From a survey."""
        fleet = survey.everywhere(app)
        return cls(
            app,
            {on.host.name: host_steps.landing(on, environment).slot for on in fleet},
            {on.host.name: on.slot for on in fleet},
        )

    @property
    def everyone(self) -> tuple[str, ...]:
        """All hosts, by name."""
        return tuple(self.landing)

    @cached_property
    def histories(self) -> dict[str, tuple[Record, ...]]:
        """By host name, what was deployed, oldest first; before all of it the previous unit.

        That unit is on a host if systemd knows it there. A record that names another unit than the
        settings do is none of this app.
        """
        most, previous = chronology.MOST_RECORDS, self.app.replaces or ""
        first = (Record.of_previous(previous),)
        return {
            host: (
                *(first if previous and slot.replaces.is_loaded else ()),
                *(r for r in slot.history[-most:] if r.release == previous or not r.is_previous),
            )
            for host, slot in self.landing.items()
        }

    @cached_property
    def stacks(self) -> dict[str, tuple[Record, ...]]:
        """By host name, the deploys that were not taken back, oldest first."""
        return {
            host: release_stack.standing_releases(history)
            for host, history in self.histories.items()
        }

    @cached_property
    def _standing(self) -> dict[str, tuple[str, ...]]:
        """By host name, the releases of its stack, each once, oldest first."""
        return {host: chronology.sequence(stack) for host, stack in self.stacks.items()}

    @cached_property
    def _chronology(self) -> Chronology:
        return chronology.of(self.stacks.values())

    @cached_property
    def tops(self) -> dict[str, Record]:
        """By host name, what was deployed last and not taken back."""
        return {host: stack[-1] for host, stack in self.stacks.items() if stack}

    @cached_property
    def newest(self) -> tuple[str, ...]:
        """The newest releases: one, or those of different hosts that no host had both of.

        What a host's records put last counts where some host really runs it, so that a record alone
        moves no host. The previous unit is older than all of them, and the newest where nothing
        was deployed, or all of it was taken back.
        """
        tops = {record.release for record in self.tops.values()}
        run = {
            record.release
            for host, record in self.tops.items()
            if record.release in {self.running[host].link, self.running[host].running_release}
        }
        deployed = {each for each in run or tops if not is_previous(each)}
        return self._chronology.newest(deployed or tops)

    @property
    def has_newest(self) -> bool:
        """Whether something is deployed that a rollback could take back."""
        return any(not is_previous(each) for each in self.newest)

    def holders(self, release: str) -> tuple[str, ...]:
        """The hosts whose records put this release last, by name."""
        return tuple(host for host, record in self.tops.items() if record.release == release)

    def affected(self) -> tuple[str, ...]:
        """The hosts that the newest release was deployed to, also without a record of it yet.

        Those that stand on the release before it are among them: they prove it.
        """
        (newest,) = self.newest
        before = self.before(newest)
        return tuple(
            host
            for host, slot in self.running.items()
            if newest in {slot.link, slot.running_release, self._last(host)}
            or self._last(host) == before
        )

    def _last(self, host: str) -> str:
        return self.tops[host].release if host in self.tops else ""

    @cached_property
    def blocked(self) -> frozenset[str]:
        """The releases that failed on a majority of the hosts that have them."""
        has: dict[str, int] = {}
        failed: dict[str, int] = {}
        for slot in self.landing.values():
            for release in {*slot.releases, *(record.release for record in slot.history)}:
                has[release] = has.get(release, 0) + 1
                failed[release] = failed.get(release, 0) + (release in slot.bad)
        return frozenset(release for release, count in failed.items() if 2 * count > has[release])

    def before(self, release: str) -> str | None:
        """The good release that was deployed before this one; None where there is none.

        It lies below on the stacks of a majority of the hosts that this one was deployed to; of
        two such hosts, on one of the two.
        """
        holders = self.holders(release)
        below = {
            each
            for host in holders
            for each in self._standing[host][:-1]
            if each not in self.blocked and not self._chronology.is_after(each, release)
        }
        known = {
            each: sum(each in standing for standing in self._standing.values()) for each in below
        }
        for enough in (len(holders) // 2 + 1, (len(holders) + 1) // 2):
            agreed = {each for each in below if known[each] >= enough}
            if agreed:
                return [each for each in self._chronology.order if each in agreed][-1]
        return None

    def named(self, to: str) -> str:
        """The release with this id, or this version, that most hosts know; or the previous unit.

        Raises:
            BadInput: There is none, or more than one that as many hosts know.
        """
        histories = list(self.histories.values())
        order = chronology.of(histories).order[::-1]
        known = {
            release: sum(release in {r.release for r in history} for history in histories)
            for release in order
        }
        found = [release for release in order if to in {release, version_of(release)}]
        # What one host alone tells is not confused with what more of them know.
        most = max((known[release] for release in found), default=0)
        found = [release for release in found if known[release] > 1 or most == 1]
        if len(found) == 1:
            return found[0]
        listed = ", ".join(found or order) or "nothing was deployed"
        problem = "is more than one release" if found else "was not deployed here"
        if is_previous(to):
            problem = "is not the unit under `replaces:`, or no host has it,"
        raise BadInput(f"--to {to}: {problem} of {self.app.name}; known: {listed}")

    def records(
        self, hosts: Iterable[str], release: str, *, is_named: bool
    ) -> tuple[dict[str, Record], Problems]:
        """Each host's own record of a release, and what keeps hosts from running it.

        is_named: whether the operator named it, and so accepts that it failed before.
        """
        found: dict[str, Record] = {}
        problems: Problems = {}
        for host in hosts:
            slot, instead = self.landing[host], f"--package {version_of(release)}"
            mine = [record for record in self.histories[host] if record.release == release]
            if release in slot.bad and not is_named:
                mark = slot.marks.get(release)
                why = f" ({mark})" if mark else ""
                problems[host] = (
                    f"{host}: {self.app.name} {release} failed there before{why}; name it to go "
                    f"back to it: --app {self.app.name} --to {release}",
                )
            elif mine and slot.can_be_given(mine[-1]):
                found[host] = mine[-1]
            elif mine and release in slot.releases and mine[-1].kept in slot.stored:
                problems[host] = (
                    f"{host}: {self.app.name}: {release} was deployed for other `ports:`, and its "
                    "unit cannot be made for these, since settings changed; deploy its package "
                    f"instead ({instead})",
                )
            else:
                then = f"deploy its package instead ({instead})"
                if is_previous(release):
                    then = f"put the unit's file back, or leave the host out: --skip-host {host}"
                gone = f"{release} is not on {host} any more, or never was"
                problems[host] = (f"{host}: {self.app.name}: {gone}; {then}",)
        return found, problems

    def nothing(self) -> str:
        """Why there is no release to go back to."""
        order = [each for each in self._chronology.order if not is_previous(each)]
        reason = f"{order[-1]} is all that was deployed" if order else "nothing was deployed"
        if not order and self._chronology.order:
            return (
                f"{self.app.name}: there is nothing to take back: nothing was deployed in place of "
                f"{self.app.replaces}, or it was taken back already; with --to "
                f"{self.app.replaces} every host goes to it"
            )
        bad = sorted(self.blocked)
        marked = f"; failed before: {', '.join(bad)}" if bad else ""
        return (
            f"{self.app.name}: there is no good release to go back to: {reason}{marked}; name one "
            "with --to, or deploy a package"
        )


def version_of(release: str) -> str:
    """A release's version, without its digest; a previous unit has none."""
    return "" if is_previous(release) else release.rpartition("-")[0]
