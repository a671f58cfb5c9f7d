"""Findings about hosts: one line for the same finding on many hosts. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from deploy.checkup.doctor.finding import Level
from deploy.checkup.refusals import Part, one_each
from deploy.foreign_text import visible
from deploy.plan import exclusion, fitness
from deploy.survey import gather

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploy.checkup.doctor.finding import Findings
    from deploy.checkup.doctor.host_look import HostLook
    from deploy.plan.exclusion import Problems
    from deploy.settings.environment import Environment

MOST_CLOCK_SECONDS = 5.0
"""From here on the times of records and journals of different hosts are out of order."""
LITTLE_KIB = 1024 * 1024
"""Space under /srv with which a release or two may fill the disk."""


def note(
    environment: Environment,
    looks: Sequence[HostLook],
    refused: Mapping[str, str],
    findings: Findings,
) -> None:
    """Note what the hosts showed, and why others could not be looked at.

    refused: by name, why a host was not read.
    """
    findings.of_hosts(one_each(refused))
    if not looks:
        return
    count, user = len(looks), environment.ssh.user
    slowest = max(each.connect_seconds for each in looks)
    findings.ok(
        Part.HOSTS,
        f"{_hosts(count)} with a known host key, "
        f"logged in{f' as {visible(user)}' if user else ''} within {slowest:.1f} s, sudo works",
    )
    findings.of_hosts(_slow(environment, looks), level=Level.WARNING)
    for text in (
        *gather.slow_starts(each.facts for each in looks),
        *gather.ports_in_danger((each.facts for each in looks), environment.apps),
    ):
        findings.warn(Part.HOSTS, text)
    lacking = {each.facts.host.name: tuple(fitness.lacking(each.facts)) for each in looks}
    broken = {each.facts.host.name: tuple(_broken(each)) for each in looks}
    problems = exclusion.joined(lacking, broken)
    findings.of_hosts(problems)
    fit = [each for each in looks if each.facts.host.name not in problems]
    if fit:
        systemd = Counter(each.facts.systemd for each in fit)
        versions = ", ".join(
            f"{version} ({_hosts(number)})" for version, number in sorted(systemd.items())
        )
        findings.ok(Part.HOSTS, f"systemd {versions}")
        findings.ok(Part.HOSTS, f"the programs that a deploy runs work on {_hosts(len(fit))}")
    least = min(each.facts.free_kb for each in looks) // 1024
    findings.ok(Part.HOSTS, f"at least {least:,} MiB are free under /srv")
    findings.of_hosts(_full(looks), level=Level.WARNING)
    wrong = _wrong_clocks(looks)
    findings.of_hosts(wrong, level=Level.WARNING)
    if not wrong:
        findings.ok(
            Part.HOSTS,
            f"clocks differ from this workstation's by less than {MOST_CLOCK_SECONDS:g} s",
        )


def _hosts(count: int) -> str:
    return f"{count} host{'s' * (count != 1)}"


def _slow(environment: Environment, looks: Sequence[HostLook]) -> Problems:
    limit = environment.ssh.connect_timeout_seconds
    return {
        each.facts.host.name: (
            f"{each.facts.host}: connecting took more than half of `connect_timeout_seconds: "
            f"{limit}`; look at the way there (DNS, jump host), or raise it",
        )
        for each in looks
        if each.connect_seconds > limit / 2
    }


def _broken(look: HostLook) -> list[str]:
    return [
        f"{look.facts.host}: `{visible(name)}` there does not do what GNU's does"
        f"{f' ({visible(said, 200)})' if said else ''}; install GNU's, or a newer version of it"
        for name, said in look.failed
    ]


def _full(looks: Sequence[HostLook]) -> Problems:
    return {
        each.facts.host.name: (
            f"{each.facts.host}: less than {LITTLE_KIB // 1024:,} MiB are free under /srv; make "
            "room there, or lower `keep_releases:`",
        )
        for each in looks
        if each.facts.free_kb < LITTLE_KIB
    }


def _wrong_clocks(looks: Sequence[HostLook]) -> Problems:
    return {
        each.facts.host.name: (
            f"{each.facts.host}: its clock is {abs(each.clock_ahead):.0f} s "
            f"{'ahead of' if each.clock_ahead > 0 else 'behind'} this workstation's; set it: "
            "timedatectl set-ntp true",
        )
        for each in looks
        if abs(each.clock_ahead) >= MOST_CLOCK_SECONDS
    }
