"""A run in words: its verdict, its hosts' outcomes, and remarks. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy import values
from deploy.hooks import words
from deploy.page.lanes import END_NOT_KNOWN, Look
from deploy.run.report import ExitCode, Outcome
from deploy.screen.run.names import versions
from deploy.screen.run.report import runs
from deploy.settings.scope import Scope

if TYPE_CHECKING:
    from deploy.page.lanes import Lane, Timeline
    from deploy.screen.run.story import Story

TONES: dict[str, str] = {
    Outcome.DONE: "ok",
    Outcome.RESTARTED: "ok",
    Outcome.ROLLED_BACK: "ok",
    Outcome.REPAIRED: "ok",
    Outcome.OBSERVED: "ok",
    Outcome.CURRENT: "ok",
    Outcome.PARTLY: "warn",
    Outcome.BACK: "warn",
    Outcome.OUT: "bad",
    Outcome.LEFT_OUT: "bad",
    Outcome.GONE: "warn",
    Outcome.LEFT: "bad",
    Outcome.UNKNOWN: "bad",
    Outcome.SERVES: "warn",
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
PROGRAMS = ("inv", "changeover")
"""By which a command is typed."""
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
        before: What it ran on most hosts, shortened; empty where that is not known, or the same.
    """

    app: str
    version: str
    digest: str
    before: str = ""


def verb(story: Story) -> str:
    """What the command did: `Deploy`."""
    name = story.began.verb if story.began else ""
    return VERBS.get(name, name.capitalize())


def subjects(story: Story) -> tuple[Subject, ...]:
    """The apps, their releases, and what they ran before."""
    ran = story.plans[0].before if story.plans else {}
    found = []
    for app, release in story.releases.items():
        digest = _DIGEST.search(release)
        version = release[: digest.start()] if digest else release
        old = ran.get(app, "")
        before = versions((old, release))[old] if old and old != release else ""
        found.append(Subject(app, version, digest[1] if digest else "", before))
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
    if began and began.verb == "restart":
        return f"{what} {'was' if is_one else 'were'} restarted everywhere"
    if any(values.service_name(each.version) for each in found):  # an adoption was undone
        back = " and ".join(f"{each.app} is back on {each.version}" for each in found)
        return f"{back} everywhere"
    where = "everywhere already" if story.changed_nothing else "everywhere"
    return f"{what} {'is' if is_one else 'are'} {where}"


def next_command(story: Story) -> str:
    """What to type; empty where nothing is left to do. After a run that was cut off, the status."""
    if story.ended:
        return story.ended.next
    began = story.began
    if began is None:
        return ""
    typed = began.command.split()[:1]
    program = typed[0] if typed and typed[0] in PROGRAMS else PROGRAMS[0]
    return Scope(began.environment, "status", program=program).again()


def runs_now(story: Story) -> str:
    """What runs on which hosts, as a look at the end showed it; empty where there was none."""
    return runs(story.ended) if story.ended and story.ended.runs else ""


def ending(lane: Lane) -> str:
    """How a host's part ended, in words."""
    if not lane.bars and not lane.batch and lane.outcome == Outcome.WAITING:
        return "untouched"
    return lane.last_known


def outcomes(timeline: Timeline) -> tuple[tuple[str, str], ...]:
    """How many hosts ended how, the worst first: the words, and their tone."""
    counts = Counter((ending(lane), tone(lane)) for lane in timeline.lanes)
    worst = sorted(counts, key=lambda each: ORDER.index(each[1]))
    return tuple((f"{counts[each]} {each[0]}", each[1]) for each in worst)


def tone(lane: Lane) -> str:
    """How an outcome is for the fleet; that of a later version is shown, and not judged."""
    return "warn" if lane.last_known == END_NOT_KNOWN else TONES.get(lane.outcome, "none")


def notes(story: Story, timeline: Timeline) -> tuple[str, ...]:
    """What the plan warned of or leaves out, which hooks failed, what was remarked since."""
    warned = [text for plan in story.plans for text in (*plan.warnings, *plan.notes)]
    left_out = [f"{host}: {why}" for plan in story.plans for host, why in plan.left_out.items()]
    hooks = [each.text for each in timeline.moments if each.look is Look.HOOK_FAILED]
    decided = [text for answer in story.answers for text in words.lines(answer)]
    said: list[str] = []
    if ended := story.ended:
        new = [f"{each} (since this command began)" for each in ended.appeared]
        old = [each for each in ended.foreign if each not in ended.appeared]
        said = [*ended.remarks, *ended.notes, *ended.defects, *old, *new]
    return tuple(dict.fromkeys([*warned, *left_out, *hooks, *decided, *said]))
