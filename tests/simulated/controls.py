"""Defects of the product that the simulation must see, each with a script in which it shows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from deploy.commands import conclusion
from deploy.hosts.notes import Note
from deploy.hosts.once.ledger import Ledger
from deploy.hosts.scripts import base, connections, history
from deploy.plan import exclusion, host_steps
from deploy.recovery import failed_host
from deploy.recovery.answers import replanning
from deploy.recovery.answers.choices import Answer
from deploy.recovery.history import Past
from deploy.run.batch_gate import BatchGate
from deploy.run.executor import Execution
from deploy.run.failed_hosts import FailedHosts
from deploy.run.host_runner import HostRunner
from deploy.run.preliminary import Preliminary
from deploy.settings.rollout import Share
from deploy.steps.drain import WaitDrained, WaitQuiet
from deploy.steps.target import RegisterTarget, WaitHealthy
from deploy.steps.verify import ProveRelease
from simulated.builds import OFFERED, Kind
from simulated.faults import Command, Fault, Strike
from simulated.liars import Liar, Lie
from simulated.world import Fleets

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from deploy.hosts.once.record import OnceRecord
    from deploy.recovery.recovery import Recovery
    from deploy.settings.environment import Environment
    from deploy.steps.base import Step
    from deploy.steps.fleet import Fleet
    from deploy.survey.facts import Survey


def without(kind: type[Step], patch: pytest.MonkeyPatch) -> None:
    """Leave a kind of step out of every way back."""
    real = failed_host.recovery_of

    def left(steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(step for step in steps if not isinstance(step, kind))

    def recovery_of(*given: object, **told: object) -> Recovery:
        way = real(*given, **told)  # type: ignore[arg-type]  # passed on as it came
        return replace(way, at_once=left(way.at_once), then=left(way.then))

    patch.setattr(failed_host, "recovery_of", recovery_of)


def a_way_back_without_a_drain(patch: pytest.MonkeyPatch) -> None:
    without(WaitDrained, patch)


def a_way_back_without_a_proof(patch: pytest.MonkeyPatch) -> None:
    without(ProveRelease, patch)


def a_retry_by_the_first_plan(patch: pytest.MonkeyPatch) -> None:
    """Its recovery put the host in service, where it was out when that plan was made."""
    patch.setattr(
        FailedHosts,
        "_planned",
        lambda hosts, _plan, host, _what: replanning.on_host(hosts.plan, host),
    )


def a_drain_that_sees_no_connection(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(connections, "busy", lambda *_: 0)


def a_drain_without_its_floor(patch: pytest.MonkeyPatch) -> None:
    real = WaitQuiet.run
    patch.setattr(WaitQuiet, "run", lambda step, own: real(replace(step, floor_seconds=0.0), own))


def a_batch_that_always_has_room(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(BatchGate, "admits", lambda *_: True)


def a_deregistration_without_its_note(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(history, "record_out", lambda *_: base.see_ours())


def a_note_without_the_zone(patch: pytest.MonkeyPatch) -> None:
    real = Note.as_line
    patch.setattr(Note, "as_line", lambda note: real(replace(note, zones={})))


def a_registration_that_does_not_ask_whose_the_environment_is(patch: pytest.MonkeyPatch) -> None:
    def run(step: RegisterTarget, fleet: Fleet) -> None:
        for group, target in fleet.targets(step.host, step.app):
            fleet.registrar.register(group, target)

    patch.setattr(RegisterTarget, "run", run)


def a_new_slot_that_nobody_waits_for(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(WaitHealthy, "run", lambda *_: None)


def a_release_that_nobody_proves(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ProveRelease, "run", lambda *_: None)


def a_slot_that_is_left_beside_the_one_in_use(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(host_steps, "left_over", lambda *_: ())


def an_old_slot_that_is_not_seen_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Execution, "_begin_aside", lambda *_: None)


def a_failed_record_that_takes_the_release_out(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(failed_host, "is_deployed", lambda _: False)


def a_canary_that_is_not_called_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        HostRunner, "call_off", lambda runner, host_plan: runner._waiting.pop(host_plan.host.name)
    )


def a_report_without_a_last_look(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(conclusion, "as_seen", lambda report, _: report)


def a_host_that_cannot_be_read_and_stops_all(patch: pytest.MonkeyPatch) -> None:
    real = exclusion.leave_out

    def leave_out(environment: Environment, *given: Any, **told: Any) -> Survey:
        rollout = environment.rollout.model_copy(update={"max_failures": Share(text="0")})
        return real(environment.model_copy(update={"rollout": rollout}), *given, **told)

    patch.setattr(exclusion, "leave_out", leave_out)


def a_mark_of_one_host_that_counts_for_all(patch: pytest.MonkeyPatch) -> None:
    def blocked(past: Past) -> frozenset[str]:
        return frozenset[str]().union(*(slot.bad for slot in past.landing.values()))

    patch.setattr(Past, "blocked", property(blocked))


@dataclass(frozen=True)
class Control:
    """A defect of the product, a script in which it shows, and the wrong that it shows as."""

    defect: Callable[[pytest.MonkeyPatch], None]
    wrong: str
    script: tuple[Command, ...]
    fleets: Fleets = field(default_factory=Fleets)

    def __str__(self) -> str:
        return f"{self.wrong.partition(':')[0]} {self.defect.__name__}"


def kinds(first: Kind) -> tuple[Kind, ...]:
    """How the builds behave when the first that is offered is bad."""
    return (first, *[Kind.GOOD] * (len(OFFERED) - 1))


def a_migration_that_is_left_out(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Preliminary, "is_done", lambda _: True)


def a_migration_that_is_not_written_down(patch: pytest.MonkeyPatch) -> None:
    real = Ledger.write

    def write(own: Ledger, app: str, release: str, record: OnceRecord) -> None:
        """Only on one host."""
        one = replace(own, remotes=dict(list(own.remotes.items())[:1]))
        real(one, app, release, record)

    patch.setattr(Ledger, "write", write)


QUIET = Fleets(rollout=(("batch", 1), ("drain", "quiet")), delay_seconds=30.0, reach_seconds=9.0)

CONTROLS = (
    Control(
        a_way_back_without_a_drain,
        "P1: host-1: web: stopped while it drains",
        (Command("deploy"),),
        Fleets(kinds=kinds(Kind.LATE), rollout=(("batch", 1), ("soak_seconds", 8.0))),
    ),
    Control(
        a_drain_that_sees_no_connection,
        "P1: host-1: web: stopped while it drains",
        (Command("deploy"),),
        replace(QUIET, flight_seconds=12.0),
    ),
    Control(
        a_drain_without_its_floor,
        "P1: host-1: web:5000: stopped while it drains",
        (Command("deploy"),),
        replace(QUIET, surge=True),
    ),
    Control(
        a_retry_by_the_first_plan,
        "P1: host-1: web: stopped while it is registered",
        (
            Command("deploy", strikes=(Strike(Fault.CRASH, "StartUnit"),)),
            Command(
                "deploy",
                OFFERED[2],
                strikes=(Strike(Fault.COMMAND, "ProveRelease"),),
                after=500.0,
                answers=(Answer.RETRY,),
            ),
        ),
        Fleets(hosts=3),
    ),
    Control(
        a_batch_that_always_has_room,
        "P2: host-2: web: out, 1 left in service of 2",
        (Command("deploy", strikes=(Strike(Fault.SICK, "RecordDeployed", seconds=300.0),)),),
        Fleets(hosts=3),
    ),
    Control(
        a_batch_that_always_has_room,
        "P2: host-2: web: out, 1 left in service of 2",
        (Command("deploy", strikes=(Strike(Fault.SICK, "RecordDeployed", seconds=300.0),)),),
        Fleets(hosts=3, rollout=(("window", 1),)),
    ),
    Control(
        a_way_back_without_a_proof,
        "P3: host-1: web: registered, but what runs was not proven",
        (Command("deploy"),),
        Fleets(kinds=kinds(Kind.SILENT)),
    ),
    Control(
        a_deregistration_without_its_note,
        "P4: host-1: web: taken out, and it is written down nowhere",
        (Command("deploy"),),
    ),
    Control(
        a_note_without_the_zone,
        "P4: host-1: web: registered by address without its zone",
        (Command("deploy", strikes=(Strike(Fault.CRASH, "StartUnit"),)),),
        Fleets(target_type="ip"),
    ),
    Control(
        a_registration_that_does_not_ask_whose_the_environment_is,
        "P5: host-1: web: AWS was told after another deploy took over",
        (Command("deploy", strikes=(Strike(Fault.TAKEOVER, "ProveRelease", seconds=3.0),)),),
    ),
    Control(
        a_report_without_a_last_look,
        "honesty: exit code <ExitCode.FAILED: 1>, and host-1: web is out of service",
        (
            Command("deploy", strikes=(Strike(Fault.CRASH, "StartUnit"),)),
            Command("deploy", OFFERED[2], strikes=(Strike(Fault.COMMAND, "UploadRelease"),)),
        ),
    ),
    Control(
        a_new_slot_that_nobody_waits_for,
        "P2: host-1: web:5000: out, and no other slot of its host is healthy",
        (Command("deploy"),),
        Fleets(surge=True),
    ),
    Control(
        a_failed_record_that_takes_the_release_out,
        "P2: host-1: web:5000: out, and no other slot of its host is healthy",
        (Command("deploy", strikes=(Strike(Fault.COMMAND, "RecordDeployed"),)),),
        Fleets(begin="fresh", surge=True),
    ),
    Control(
        a_release_that_nobody_proves,
        "P3: host-1: web:5001: registered, but what runs was not proven",
        (Command("deploy"),),
        Fleets(kinds=kinds(Kind.SILENT), surge=True),
    ),
    Control(
        a_slot_that_is_left_beside_the_one_in_use,
        "P4: host-1: web:5000: not at rest after a repair",
        (Command("deploy", strikes=(Strike(Fault.CRASH, "DeregisterTarget"),)),),
        Fleets(surge=True),
    ),
    Control(
        an_old_slot_that_is_not_seen_off,
        "honesty: exit code 0, and host-1: web:5000 is not at rest",
        (Command("deploy"),),
        Fleets(surge=True),
    ),
    Control(
        a_canary_that_is_not_called_off,
        "honesty: host-1: not reached, and it was touched",
        (Command("deploy", strikes=(Strike(Fault.COMMAND, "UploadRelease", host=2),)),),
        Fleets(surge=True),
    ),
    Control(
        a_migration_that_is_left_out,
        "once: host-1: web: started before its migration was done",
        (Command("deploy"),),
        Fleets(migrates=True),
    ),
    Control(
        a_migration_that_is_not_written_down,
        f"once: web: the migration of {OFFERED[0].release} ran again, and nobody asked",
        (Command("deploy", strikes=(Strike(Fault.CRASH, "StopUnit"),)), Command("deploy")),
        Fleets(hosts=3, migrates=True),
    ),
    Control(
        a_host_that_cannot_be_read_and_stops_all,
        "P12: one host lies, 1 may fail, and all are refused",
        (Command("deploy", liar=Liar(2, Lie.SILENT)),),
        Fleets(hosts=3, rollout=(("batch", 1), ("max_failures", 1))),
    ),
    Control(
        a_mark_of_one_host_that_counts_for_all,
        "P12: one host lies, and the others may not go back: web: there is no good release to go "
        "back to: 2.0.0-222222222222 is all that was deployed; failed before: 1.0.0-111111111111, "
        "3.0.0-333333333333; name one with --to, or deploy a package",
        (Command("rollback", liar=Liar(2, Lie.FORGED, 16)),),
        Fleets(hosts=3, rollout=(("batch", 1), ("max_failures", 1))),
    ),
)
