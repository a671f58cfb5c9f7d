"""How a run went, in words: its title, its verdict, what failed, and the facts about it. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.folding import listed, without_name
from deploy.hooks import words
from deploy.page.wording import count, duration, moment
from deploy.run.report import ExitCode, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.events.event import HostFailed
    from deploy.page.lanes import Timeline
    from deploy.screen.run.story import Story

TONES: dict[str, str] = {
    Outcome.DONE: "ok",
    Outcome.OBSERVED: "ok",
    Outcome.CURRENT: "ok",
    Outcome.PARTLY: "warn",
    Outcome.BACK: "warn",
    Outcome.OUT: "bad",
    Outcome.LEFT_OUT: "bad",
    Outcome.GONE: "warn",
    Outcome.LEFT: "bad",
    Outcome.UNKNOWN: "bad",
    Outcome.CUT_SHORT: "warn",
    Outcome.WAITING: "none",
}
"""How each outcome is for the fleet: `ok`, `warn`, `bad`, or `none` where nothing was done."""

ORDER = ("bad", "warn", "none", "ok")
"""The tones, the worst first."""

VERDICTS: dict[int, tuple[str, str]] = {
    ExitCode.DONE: ("Done", "ok"),
    ExitCode.FAILED: ("Failed", "bad"),
    ExitCode.BAD_INPUT: ("Refused", "warn"),
    ExitCode.LOCKED: ("Taken over", "bad"),
    ExitCode.MIXED: ("Incomplete", "warn"),
    ExitCode.OUT_OF_SERVICE: ("Out of service", "bad"),
    ExitCode.HANGUP: ("Stopped", "warn"),
    ExitCode.INTERRUPTED: ("Stopped", "warn"),
    ExitCode.TERMINATED: ("Stopped", "warn"),
}
VERBS = {"rollback": "Roll back", "repair": "Repair", "observe": "Observe"}
MOST_OF_A_COMMAND = 200
_DIGEST = re.compile(r"-([0-9a-f]{12})\Z")


@dataclass(frozen=True)
class Verdict:
    """How a run ended.

    Attributes:
        word: In a word or two: `Done`.
        sentence: In full.
        tone: `ok`, `warn` or `bad`.
    """

    word: str
    sentence: str
    tone: str


@dataclass(frozen=True)
class Subject:
    """An app and what it was to run.

    Attributes:
        app: By name.
        version: Of the release.
        digest: Of its contents, as its id has it; empty where the id is of another form.
    """

    app: str
    version: str
    digest: str


@dataclass(frozen=True)
class Fact:
    """One of the facts about a run.

    Attributes:
        name: What it is.
        value: In words.
        is_code: Whether it is something to type, or an id.
    """

    name: str
    value: str
    is_code: bool = False


@dataclass(frozen=True)
class Failed:
    """Why a host's part failed, as a page shows it.

    Attributes:
        title: On which hosts what failed.
        lines: The error; more than one line where it has details.
        command: What the host ran, shortened; empty where that is not what failed.
        exit_code: Of the command.
        journal: The last lines of the unit's journal.
        health: The state of its target, and the reason.
        undone: What was done about it.
    """

    title: str
    lines: tuple[str, ...]
    command: str
    exit_code: int | None
    journal: tuple[str, ...]
    health: str
    undone: tuple[str, ...]


def verb(story: Story) -> str:
    """What the command did: `Deploy`."""
    name = story.began.verb if story.began else ""
    return VERBS.get(name, name.capitalize())


def subjects(story: Story) -> tuple[Subject, ...]:
    """The apps and their releases."""
    found = []
    for app, release in story.releases.items():
        digest = _DIGEST.search(release)
        version = release[: digest.start()] if digest else release
        found.append(Subject(app, version, digest[1] if digest else ""))
    return tuple(found)


def verdict(story: Story) -> Verdict:
    """How the run ended; of one that was killed, that this is not known."""
    if story.ended is None:
        text = "The events stop before the run's end: it was killed, or it still goes on."
        return Verdict("Cut off", text, "warn")
    code = story.ended.exit_code
    word, tone = VERDICTS.get(code, ("Ended", "warn"))
    if code == ExitCode.DONE:
        return Verdict(word, f"{_success(story)}.", tone)
    meaning = story.ended.meaning.removeprefix(f"{word.lower()}; ")
    return Verdict(word, f"{meaning[:1].upper()}{meaning[1:]} (exit code {code}).", tone)


def _success(story: Story) -> str:
    began = story.began
    found = subjects(story)
    what = " and ".join(f"{each.app} {each.version}" for each in found)
    is_one = len(found) == 1
    if began and began.verb == "repair":
        return f"{began.environment} is as it was last deployed"
    if began and began.verb == "observe":
        return f"{what} {'serves' if is_one else 'serve'} as before"
    where = "everywhere already" if story.changed_nothing else "everywhere"
    return f"{what} {'is' if is_one else 'are'} {where}"


def outcomes(timeline: Timeline) -> tuple[tuple[str, str], ...]:
    """How many hosts ended how, the worst first: the words, and their tone."""
    counts = Counter(lane.outcome for lane in timeline.lanes if lane.outcome)
    worst = sorted(counts, key=lambda each: ORDER.index(tone(each)))
    return tuple((f"{counts[each]} {each}", tone(each)) for each in worst)


def tone(outcome: str) -> str:
    """How an outcome is for the fleet; that of a later version is shown, and not judged."""
    return TONES.get(outcome, "none")


def failures(story: Story) -> tuple[Failed, ...]:
    """What failed, in order, the same on several hosts once, with the first one's journal.

    Hosts that were left out from the start come last.
    """
    left_out = {host for plan in story.plans for host in plan.left_out}
    alike: dict[tuple[str, str, bool], list[HostFailed]] = {}
    for each in sorted(story.failures, key=lambda it: it.host in left_out and not it.journal):
        why = without_name(each.error, each.host)
        alike.setdefault((each.step, why, each.is_stop), []).append(each)
    return tuple(map(_failed, alike.values()))


def _failed(alike: Sequence[HostFailed]) -> Failed:
    failure, names = alike[0], list(dict.fromkeys(each.host for each in alike))
    hosts = failure.host if len(names) == 1 else listed(names)
    error = without_name(failure.error, failure.host).removeprefix(": ")
    command = " ".join(failure.command.split())
    if len(command) > MOST_OF_A_COMMAND:
        command = f"{command[: MOST_OF_A_COMMAND - 1]}…"
    return Failed(
        title=f"{failure.step}: not done" if failure.is_stop else f"{hosts}: {failure.step}",
        lines=tuple(error.split("\n")),
        command=command,
        exit_code=failure.exit_code,
        journal=failure.journal,
        health=failure.health,
        undone=failure.undone,
    )


def facts(story: Story, timeline: Timeline, at: float) -> tuple[Fact, ...]:
    """Who, when, how long and on what; at: when the run began, unix seconds."""
    began, hosts = story.began, len(timeline.lanes)
    batches = len(story.plans[0].batches) if story.plans else 0
    reach = count(hosts, "host") + (f" in {count(batches, 'batch')}" if batches else "")
    waited = sum(lane.waited for lane in timeline.lanes)
    worked = sum(lane.worked for lane in timeline.lanes)
    found = [
        Fact("By", began.by if began else ""),
        Fact("Began", moment(at)),
        Fact("Took", duration(timeline.seconds)),
        Fact("Reached", reach),
        Fact("All hosts together", f"{duration(waited)} waiting, {duration(worked)} at work"),
    ]
    if began:
        found.append(Fact("Command", began.command, is_code=True))
    return tuple(found)


def notes(story: Story) -> tuple[str, ...]:
    """What the plan warned of, and what the run remarked."""
    warned: Sequence[str] = [text for plan in story.plans for text in plan.warnings]
    left_out = [f"{host}: {why}" for plan in story.plans for host, why in plan.left_out.items()]
    decided = [text for answer in story.answers for text in words.lines(answer)]
    ended = story.ended
    said: Sequence[str] = (
        (*ended.remarks, *ended.defects, *ended.foreign, *ended.appeared) if ended else ()
    )
    return tuple(dict.fromkeys([*warned, *left_out, *decided, *said]))
