"""A run on GitHub's page of its job: hosts and outcomes, why hosts failed, what to type next."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.aws.targets import GONE
from deploy.durations import taken
from deploy.foreign_text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploy.events.event import HostFailed, RunBegan, RunEnded

VARIABLE = "GITHUB_STEP_SUMMARY"
MOST_FAILURES = 10
"""How many failures are shown with their journals; GitHub takes 1 MiB from a step."""
_MARKUP = re.compile(r"[^A-Za-z0-9 ,/-]")


def text(
    began: RunBegan,
    ended: RunEnded,
    releases: Mapping[str, str],
    failures: Sequence[HostFailed],
) -> str:
    """Return the summary of a run, in Markdown: failures first, since a fleet's table is long.

    Args:
        began: Its first event.
        ended: Its last event.
        releases: What each app was to run.
        failures: In the order in which they were known.
    """
    what = ", ".join(f"{app} {release}" for app, release in releases.items())
    title = f"{began.verb} {what}".rstrip()
    end = f"Exit code {ended.exit_code}, {taken(ended.seconds)}, by {began.by}"
    parts = [f"### {_plain(f'{title}, {began.environment}: {ended.meaning}')}", "", _plain(end)]
    for failure in failures[:MOST_FAILURES]:
        how = "not done" if failure.is_stop else "failed"
        what = f"{failure.host} {how}: {failure.step}"
        parts += ["", f"**{_plain(what)}**", "", _evidence(failure)]
    if len(failures) > MOST_FAILURES:
        parts += ["", f"… and {len(failures) - MOST_FAILURES} more failures in the log"]
    if ended.next:
        parts += ["", f"Next: {_plain(ended.next)}"]
    parts += ["", "| host | outcome |", "|---|---|"]
    parts += [f"| {_plain(host)} | {_plain(end)} |" for host, end in ended.outcomes.items()]
    return "\n".join([*parts, ""])


def write(environ: Mapping[str, str], summary: str) -> str:
    """Append a summary to the step's file, where GitHub names one; why that failed, or nothing."""
    file = environ.get(VARIABLE)
    if not file:
        return ""
    try:
        with Path(file).open("a", encoding="utf-8", errors="replace") as out:
            out.write(summary)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        return f"{VARIABLE}: {visible(file)} cannot be written: {visible(why)}"
    return ""


def _evidence(failure: HostFailed) -> str:
    """What is known of a failure, as preformatted HTML, in which Markdown means nothing."""
    shown = [*failure.error.split("\n")]
    if failure.exit_code is not None:
        shown.append(f"exit code {failure.exit_code} of: {visible(failure.command, 200)}")
    shown += [f"| {each}" for each in failure.journal]
    if failure.health and GONE.reason not in failure.health:
        shown.append(f"load balancer: {failure.health}")
    shown += [f"then: {each}" for each in failure.undone]
    escaped = "\n".join(html.escape(visible(each)) for each in shown)
    return f"<pre>{escaped}</pre>"


def _plain(text: str) -> str:
    """Text as one line in which nothing is markup: what could be is a character reference.

    CommonMark, "Entity and numeric character references": they cannot stand for a character that
    indicates structure.
    """
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", visible(text))
