"""How a run ended, in a few lines: why it failed, what was done, what runs where, what to type.

Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.durations import taken
from deploy.foreign_text import line as one_line
from deploy.foreign_text import visible
from deploy.hooks import words
from deploy.natural_order import natural
from deploy.run.report import ExitCode, Outcome
from deploy.screen.plan.words import number
from deploy.screen.run.failures import FAILED_AGAIN, error_lines, evidence, heading
from deploy.screen.run.line import line, listed
from deploy.screen.run.names import versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from deploy.events.event import HostFailed, RunBegan, RunEnded
    from deploy.screen.run.line import Line
    from deploy.screen.run.story import Story

COLOURS: dict[str, str] = {
    Outcome.DONE: "",
    Outcome.RESTARTED: "",
    Outcome.ROLLED_BACK: "",
    Outcome.REPAIRED: "",
    Outcome.OBSERVED: "",
    Outcome.CURRENT: "",
    Outcome.PARTLY: "yellow",
    Outcome.BACK: "yellow",
    Outcome.OUT: "bold red",
    Outcome.LEFT_OUT: "bold red",
    Outcome.GONE: "yellow",
    Outcome.LEFT: "bold red",
    Outcome.UNKNOWN: "bold red",
    Outcome.SERVES: "yellow",
    Outcome.CUT_SHORT: "yellow",
    Outcome.WAITING: "dim",
}
SEEN_FROM_WHAT_RUNS = frozenset(
    {Outcome.DONE, Outcome.ROLLED_BACK, Outcome.CURRENT, Outcome.BACK, Outcome.WAITING}
)
"""Outcomes that what runs where shows as well."""
SEEN_FROM_THE_VERDICT = frozenset({Outcome.RESTARTED, Outcome.REPAIRED})
"""Outcomes that the verdict of a success has."""
FITTING = 80
CUT_OFF = "it was cut off: how it ended is not in its events"


def lines(story: Story, *, is_brief: bool = False) -> list[Line]:
    """Return the report of a run; is_brief: without what is no failure and no verdict."""
    began, ended = story.began, story.ended
    outcomes = ended.outcomes if ended else {}
    found = [each for group in _alike(story.failures) for each in _failure(group, outcomes)]
    if began is None or ended is None:
        return [*found, line(CUT_OFF, "bold red")]
    is_well = ended.exit_code == ExitCode.DONE
    if is_well and not is_brief:
        found += _journal(story)
    found += _outcomes(ended, story.failures)
    found += [line(each, "yellow") for answer in story.answers for each in words.lines(answer)]
    found += [line(each, "yellow") for each in (*ended.remarks, *ended.notes)]
    found += [line(visible(each), "bold red") for each in ended.defects]
    found += [line(visible(each), "yellow") for each in ended.foreign]
    found += [
        line(f"{visible(each)} (since this command began)", "yellow") for each in ended.appeared
    ]
    if ended.runs and not (is_well and is_brief):
        found.append(line(f"runs now: {runs(ended)}"))
    if not is_brief:
        found += _times(story)
    return [*found, *_verdict(story, began, ended)]


def _alike(failures: Sequence[HostFailed]) -> list[list[HostFailed]]:
    """The failures, those of several hosts by one cause together."""
    groups: dict[tuple[str, str], list[HostFailed]] = {}
    for failure in failures:
        cause = failure.error.removeprefix(f"{failure.host}: ")
        groups.setdefault((failure.step, cause), []).append(failure)
    return [*groups.values()]


def _failure(alike: Sequence[HostFailed], outcomes: dict[str, str]) -> list[Line]:
    """One cause: what failed, on which hosts, why, and what was done about it."""
    first = alike[0]
    hosts = sorted({each.host for each in alike}, key=natural)
    found = [heading(hosts, first.step, is_stop=first.is_stop)]
    found += error_lines(first.host, first.error)
    found += evidence(first.error, first.exit_code, first.journal, first.health)
    return [*found, *_recoveries(alike, outcomes)]


def _recoveries(alike: Sequence[HostFailed], outcomes: dict[str, str]) -> list[Line]:
    """Return what was done about a cause on its hosts, and the outcome."""
    found: list[Line] = []
    ends: dict[str, list[HostFailed]] = {}
    for failure in alike:
        on = f"{visible(failure.host)}: " if len(alike) > 1 else ""
        again = [each for each in failure.undone if FAILED_AGAIN in each]
        found += [line(f"  {on}its recovery failed: {visible(each)}", "red") for each in again]
        if failure.undone and not again:
            ends.setdefault(outcomes.get(failure.host) or "recovered", []).append(failure)
    for outcome, recovered in ends.items():
        on = f"{listed(_sorted(each.host for each in recovered))}: " if len(alike) > 1 else ""
        count = len(recovered[0].undone)
        found.append(line(f"  after {number(count, 'step')} of recovery: {on}{outcome}", "yellow"))
    return found


def _outcomes(ended: RunEnded, failures: Iterable[HostFailed]) -> list[Line]:
    """The hosts by how they ended, where neither what runs where nor a failure shows that."""
    shown = {each.host for each in failures if each.undone}
    groups: dict[str, list[str]] = {}
    is_well = ended.exit_code == ExitCode.DONE
    for host, outcome in ended.outcomes.items():
        is_shown = outcome in SEEN_FROM_WHAT_RUNS and (bool(ended.runs) or host in shown)
        if not (is_shown or (is_well and outcome in SEEN_FROM_THE_VERDICT)):
            groups.setdefault(outcome, []).append(host)
    most = 3 if ended.runs else 8
    return [
        line(f"{listed(_sorted(hosts), most)}: {outcome}", COLOURS.get(outcome, ""))
        for outcome, hosts in groups.items()
    ]


def _sorted(hosts: Iterable[str]) -> list[str]:
    return [visible(host) for host in sorted(hosts, key=natural)]


def runs(ended: RunEnded) -> str:
    """What runs where, in one line: `web 1.0.0 on web-1 and web-2, 2.0.0 on web-3`."""
    apps = []
    for app, releases in ended.runs.items():
        short = versions(releases)
        by_count = sorted(releases.items(), key=lambda each: -len(each[1]))
        shown = [f"{short[release]} on {_where(on, ended)}" for release, on in by_count]
        apps.append(f"{visible(app)} {', '.join(shown)}")
    return "; ".join(apps)


def _where(hosts: Sequence[str], ended: RunEnded) -> str:
    if len(hosts) == len(ended.outcomes) > 1:
        return f"all {len(hosts)} hosts"
    return listed(_sorted(hosts), 2)


def _times(story: Story) -> list[Line]:
    """The slowest steps, and waiting apart from work, of which hosts do much at the same time."""
    waiting, work = map(taken, story.times.split())
    after = f"all hosts together: {waiting} waiting, {work} work"
    found = [f"slowest: {story.times.slowest(most)}; {after}" for most in (2, 1)]
    fitting = [each for each in found if len(each) <= FITTING]
    return [line([*fitting, found[-1]][0], "dim")] if story.times.slowest(1) else []


def _journal(story: Story) -> list[Line]:
    """The last lines of what was proven last, as the first look of an operator would have them."""
    if not story.journal:
        return []
    head = f"last lines of the journal on {visible(story.journal_of)}:"
    return [line(head, "dim"), *(line(f"  | {visible(each)}", "dim") for each in story.journal)]


def _verdict(story: Story, began: RunBegan, ended: RunEnded) -> list[Line]:
    """Return the verdict, and what to type next."""
    code, tool = ended.exit_code, f"Changeover {visible(began.tool)}"
    if code != ExitCode.DONE:
        end = f"exit code {code}, after {taken(ended.seconds)}; {tool}"
        return [
            line(f"{one_line(ended.meaning)} ({end})", "bold red"),
            line(f"next: {ended.next}"),
        ]
    text = _success(story, began, ended)
    return [line(f"{text}, {taken(ended.seconds)} ({tool})", "bold green")]


def _success(story: Story, began: RunBegan, ended: RunEnded) -> str:
    """Return the verdict on a run that did all of its plan, in the words of its command."""
    releases = ", ".join(visible(f"{app} {release}") for app, release in story.releases.items())
    if began.verb == "repair":
        return f"{visible(began.environment)} is as it was last deployed"
    if began.verb == "observe":
        return f"{releases} serves as before"
    if began.verb == "restart":
        count = sum(outcome == Outcome.RESTARTED for outcome in ended.outcomes.values())
        return f"{releases} restarted on {count} of {number(len(ended.outcomes), 'host')}"
    before = "rolled back: " if began.verb == "rollback" and not story.changed_nothing else ""
    return f"{before}{releases} is everywhere{' already' * story.changed_nothing}"
