"""Shows the status of environments on a terminal, redrawn until Ctrl-C."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.clock import CLOCK
from deploy.commands.looking import looks
from deploy.errors import BadInput, DeployError
from deploy.run.report import ExitCode
from deploy.screen import status_table
from deploy.screen.console import Screen
from deploy.screen.fleet.lock_seen import Heartbeats
from deploy.screen.log_lines import clock
from deploy.screen.status import Overview, overview, worst
from deploy.session import session

if TYPE_CHECKING:
    from deploy.session.arguments import CommandOptions
    from deploy.session.session import Session
    from deploy.settings.environment import Environment

SECONDS = 5.0
"""From one look to the next; each is one command on a host, and one call for a group."""


@dataclass
class Watched:
    """An environment that is looked at again and again.

    Attributes:
        name: As the settings have it.
        session: Connected as long as it is watched; None where it could not be opened.
        seen: The last look; None before the first.
        problem: Why the last look failed, in lines; empty where it did not.
    """

    name: str
    session: Session | None = None
    seen: Overview | None = None
    problem: str = ""
    _beats: Heartbeats = field(default_factory=lambda: Heartbeats(looks.life_here))

    def look(self) -> None:
        """Look once more; what was seen before stays where that fails."""
        if self.session is None:
            return
        try:
            survey = self.session.survey(for_plan=False)
        except DeployError as error:
            self.problem = looks.unseen(self.name, error)
            return
        held = self._beats.see(survey, CLOCK.monotonic())
        environment, scope = self.session.environment, self.session.scope
        self.seen = overview(environment, survey, scope, holders=held, at=looks.now())
        self.problem = ""

    @property
    def exit_code(self) -> ExitCode:
        """That of a status now."""
        if self.problem or self.seen is None:
            return ExitCode.BAD_INPUT
        return self.seen.exit_code


def status(asked: CommandOptions) -> ExitCode:
    """Draw the environment that is named, or all, until Ctrl-C; the code of the last look.

    Raises:
        BadInput: There is no terminal, or the environment that is named cannot be looked at.
    """
    screen = Screen()
    _refuse(asked, screen)
    settings = looks.settings_of_each(asked, screen)
    with ExitStack() as stack:
        with screen.busy(f"connecting to {', '.join(settings)}"):
            watched = [_opened(stack, asked, each) for each in settings.items()]
        try:
            with screen.redrawn(lambda: _drawn(watched)) as region:
                while True:
                    for each in watched:
                        each.look()
                    region.refresh()
                    CLOCK.sleep(SECONDS)
        except KeyboardInterrupt:  # how it is ended
            pass
    for each in watched:
        if each.seen:
            screen.show(status_table.render_overview(each.seen))
        if each.problem:
            screen.complain(each.problem)
    return worst(each.exit_code for each in watched)


def _refuse(asked: CommandOptions, screen: Screen) -> None:
    """Raise BadInput where there is nothing to draw on."""
    if asked.json:
        raise BadInput("--watch draws on a terminal, and --json is for scripts; leave one of them")
    if not screen.is_terminal:
        raise BadInput("--watch needs a terminal to draw on; leave it out, and call status again")


def _opened(
    stack: ExitStack, asked: CommandOptions, named: tuple[str, Environment | DeployError]
) -> Watched:
    """Connect to an environment; of several, one that cannot be looked at hides no other."""
    name, loaded = named
    try:
        if isinstance(loaded, DeployError):
            raise loaded
        scope = looks.scope_of(loaded, asked)
        opened = session.Session(loaded, scope=scope, is_partial=True)
        return Watched(name, stack.enter_context(opened))
    except DeployError as error:
        if asked.environment:
            raise
        return Watched(name, problem=looks.unseen(name, error))


def _drawn(watched: list[Watched]) -> status_table.Drawn:
    """What is on the screen between two looks."""
    seen = [each.seen for each in watched if each.seen]
    problems = [each.problem for each in watched if each.problem]
    waits = [each.name for each in watched if not (each.seen or each.problem)]
    then = f"again every {SECONDS:g} s; Ctrl-C ends it"
    hint = f"looked at {clock(max(each.at for each in seen))}, {then}" if seen else then
    hint = f"looking at {', '.join(waits)}; Ctrl-C ends it" if waits else hint
    return status_table.Drawn(tuple(seen), tuple(problems), hint)
