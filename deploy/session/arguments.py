"""The options of a command, checked, and its settings."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.errors import BadInput, nearest, reading
from deploy.recovery.answers.choices import Answer
from deploy.settings import load
from deploy.settings.rollout import Batch
from deploy.settings.scope import Scope

if TYPE_CHECKING:
    from deploy.screen.console import Screen
    from deploy.settings.app import App
    from deploy.settings.environment import Environment

SECONDS_IN = {"": 1, "s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class CommandOptions:
    """The options of a command as they were typed; None for one that was not.

    Attributes:
        environment: What `--env` names; empty for all of the settings, where a command allows that.
        settings: The settings file; None where it is to be searched for.
        app: Only this app.
        hosts: Only these hosts: names, comma-separated.
        skip_host: Not these hosts: names, comma-separated.
        batch: A count, a percentage or a ramp.
        canary: How long to wait after the first batch: `10m`.
        on_failure: What to do about a host that fails: an `Answer`, or `ask`.
        dry_run: Whether to print the plan alone.
        yes: Whether not to ask.
        allow_downtime: Whether a batch may leave less in service than the policy requires.
        join: Whether hosts that were taken out by hand go back in.
        wait_lock: How long to wait for another deploy to end: `90s`, `15m`, `2h`.
        json: Whether scripts read the output.
        watch: Whether to look again and again.
        full: Whether every step of the plan is listed.
        quiet: Whether failures and the verdict alone are shown.
        verbose: Whether each remote command and AWS call is shown.
        program: What was typed: `inv`, or `changeover`.
    """

    environment: str
    settings: str | None = None
    app: str | None = None
    hosts: str | None = None
    skip_host: str | None = None
    batch: str | None = None
    canary: str | None = None
    on_failure: str | None = None
    dry_run: bool = False
    yes: bool = False
    allow_downtime: bool = False
    join: bool = False
    wait_lock: str = "0"
    json: bool = False
    watch: bool = False
    full: bool = False
    quiet: bool = False
    verbose: bool = False
    program: str = "inv"

    @property
    def flags(self) -> tuple[str, ...]:
        """The other options of which the same command needs each again, as typed."""
        given = {"--allow-downtime": self.allow_downtime, "--join": self.join}
        flags = (flag for flag, is_given in given.items() if is_given)
        on_failure = as_typed("--on-failure", self.on_failure)
        return (*as_typed("--canary", self.canary), *on_failure, *flags)

    def scope(self, verb: str = "deploy", *more: str) -> Scope:
        """The scope of this command; more: the verb's own options, as typed."""
        return Scope(
            self.environment,
            verb,
            more,
            self.settings or "",
            self.app,
            self.hosts,
            self.skip_host,
            self.batch,
            self.program,
        )

    def command(self, verb: str) -> str:
        """Return the command line of a verb for the same part of this environment."""
        return self.scope().command(verb)


def asked(program: str, env: str | None, **typed: Any) -> tuple[CommandOptions, dict[str, Any]]:
    """Split options, by their names, into the `CommandOptions` and the command's own."""
    names = {each.name for each in fields(CommandOptions)} & typed.keys()
    common = {name: typed.pop(name) for name in names}
    return CommandOptions(env or "", program=program, **common), typed


def read_settings(asked: CommandOptions, screen: Screen) -> Environment:
    """The environment's settings; says which file they are from unless it is ./fabric.yaml."""
    file = load.find(asked.settings)
    if file != Path(load.NAME):
        screen.note(f"Settings: {file}")
    loaded = environment_of(file, asked.environment, asked.app, asked.batch)
    if asked.on_failure in {Answer.STOP, Answer.ROLLBACK}:
        policy = {"on_failure": asked.on_failure}
        loaded = loaded.model_copy(update={"rollout": loaded.rollout.model_copy(update=policy)})
    return loaded if asked.canary is None else _with_canary(loaded, asked.canary)


def as_typed(option: str, value: str | None) -> tuple[str, ...]:
    """An option as it was typed; nothing where it was not."""
    return () if value is None else (option, value)


def seconds_of(text: str, option: str) -> float:
    """`90`, `90s`, `15m` or `2h` in seconds; BadInput for anything else."""
    found = re.fullmatch(r"([0-9]{1,9})([smh]?)", text.strip())
    if not found:
        raise BadInput(f"{option} {text}: is no duration; write 90s, 15m or 2h")
    return float(int(found[1]) * SECONDS_IN[found[2]])


def split(names: str | None, option: str) -> tuple[str, ...]:
    """`a,b` as a list of names; BadInput for an option that was given and names nothing.

    A script's empty variable must not mean the whole fleet.
    """
    if names is None:
        return ()
    found = tuple(name.strip() for name in names.split(",") if name.strip())
    if not found:
        raise BadInput(f"{option} names no host; give names, comma-separated, or leave it out")
    return found


def environment_of(file: Path, environment: str, app: str | None, batch: str | None) -> Environment:
    """The settings with the command line's `--app` and `--batch` over them."""
    with reading(f"{file}: these settings", "write them in a simpler way"):
        loaded = load.load(file, environment)
    if app is not None:
        loaded = _only_app(loaded, app)
    if batch is not None:
        try:
            sizes: list[int | str] = [
                int(size) if size.strip().lstrip("-").isdigit() else size.strip()
                for size in batch.split(",")
            ]
            parsed = Batch.parse(sizes)
        except ValueError as error:
            raise BadInput(f"--batch {batch}: {error}") from error
        rollout = loaded.rollout.model_copy(update={"batch": parsed, "window": None})
        loaded = loaded.model_copy(update={"rollout": rollout})
    return loaded


def _with_canary(environment: Environment, text: str) -> Environment:
    """The settings with a pause after the first batch, of so long at most."""
    seconds, rollout = seconds_of(text, "--canary"), environment.rollout
    if not seconds:
        raise BadInput(f"--canary {text}: is no time to watch a host in; write 10m")
    if rollout.window:
        raise BadInput(
            f"--canary {text}: with `window: {rollout.window}` there are no batches to pause "
            "between; add --batch 1"
        )
    update = {"pause_after": 1, "pause_seconds": seconds}
    return environment.model_copy(update={"rollout": rollout.model_copy(update=update)})


def _only_app(environment: Environment, name: str) -> Environment:
    chosen = next((app for app in environment.apps if app.name == name), None)
    if chosen is None:
        known = [app.name for app in environment.apps]
        hint = nearest(name, known) or f"; known: {', '.join(known)}"
        raise BadInput(f"{environment.name}: no app {name!r}{hint}")
    whole: tuple[App, ...] = tuple(
        app for app in environment.apps if app is chosen or app.shares_target_with(chosen)
    )
    return environment.model_copy(
        update={
            "apps": whole,
            "beside": tuple(app.name for app in whole if app is not chosen),
            "other_apps": tuple(app for app in environment.apps if app not in whole),
        }
    )
