"""Has the systemd of hosts judge the units that a deploy would install."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from deploy.checkup.refusals import Part
from deploy.crew import MOST_HOSTS_AT_ONCE
from deploy.errors import DeployError
from deploy.foreign_text import visible
from deploy.hosts import host_trial
from deploy.plan import candidate
from deploy.unit import rendering

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.checkup.doctor.finding import Findings
    from deploy.hosts.ssh.remote import Remote
    from deploy.plan.candidate import OpenedPackage
    from deploy.settings.environment import Environment
    from deploy.survey.facts import HostFacts, Survey

VERIFY_SECONDS = 60.0


def look(
    environment: Environment,
    opened: OpenedPackage,
    survey: Survey,
    remotes: Mapping[str, Remote],
    findings: Findings,
) -> None:
    """Note what the systemd of each host that was read says of an app's units.

    Raises BadInput where they cannot be rendered.
    """
    offer = candidate.offer(environment, opened, survey)
    first = opened.words[0]
    executable = first if first in opened.package.files else ""

    def said(facts: HostFacts) -> tuple[str, ...]:
        units = [offer.units[facts.host.name, each.port] for each in opened.app.slots]
        texts = {
            unit.name: rendering.for_verification(unit, host_trial.PLACE, facts.systemd)
            for unit in units
        }
        try:
            lines = remotes[facts.host.name].ask(
                host_trial.units(texts, executable), VERIFY_SECONDS
            )
        except DeployError as error:
            return (str(error),)
        return _problems(str(facts.host), tuple(texts), lines)

    with ThreadPoolExecutor(max_workers=MOST_HOSTS_AT_ONCE) as pool:
        answers = pool.map(said, survey.hosts)
        problems = {
            facts.host.name: lines for facts, lines in zip(survey.hosts, answers, strict=True)
        }
    findings.of_hosts(problems)
    accepted = sum(not lines for lines in problems.values())
    if accepted:
        names = " and ".join(slot.unit_name for slot in opened.app.slots)
        count = f"{accepted} host{'s' * (accepted != 1)}"
        findings.ok(Part.HOSTS, f"systemd accepts {names} on {count}")


def _problems(host: str, names: tuple[str, ...], said: tuple[str, ...]) -> tuple[str, ...]:
    """Return what systemd refused, by the first line that names a unit; or nothing."""
    if not said:
        return ()
    named = [(name, line) for line in said for name in names if f"{name}:" in line]
    name, line = next(iter(named), (names[0], said[0]))
    problem = line.rpartition(f"{name}:")[2].strip()
    return (
        f"{host}: systemd does not accept {name}: {visible(problem, 300)}; correct the template or "
        "the app's settings",
    )
