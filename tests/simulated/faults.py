"""What the operator types, and what befalls it: values that Hypothesis makes and shrinks."""

from __future__ import annotations

import enum
import signal
from dataclasses import dataclass

from deploy.recovery.answers.choices import Answer
from simulated.builds import OFFERED, Build
from simulated.liars import Liar


class Fault(enum.StrEnum):
    """What strikes: most of them at the call that is being made."""

    COMMAND = "the command fails"
    HOST = "the host does not do it"
    DEFECT = "a defect of ours"
    FLICKER = "the connection breaks once"
    DARK = "the host cannot be reached for a while"
    DOWN = "the AWS API is down for a while"
    SICK = "the service on the host is sick for a while"
    STOP = "a signal"
    TAKEOVER = "another deploy takes the environment over"
    CRASH = "this is the end of the workstation"


RAISES = {Fault.COMMAND, Fault.HOST, Fault.DEFECT, Fault.FLICKER, Fault.DARK, Fault.DOWN}


@dataclass(frozen=True)
class Strike:
    """A fault at one instant: on a host, in a step of this kind, after so many instants in it.

    nth: which such step of the host in this run; seconds: how long it lasts; number: the signal's.
    """

    fault: Fault
    step: str
    host: int = 1
    at: int = 0
    nth: int = 0
    seconds: float = 30.0
    number: int = signal.SIGINT


@dataclass(frozen=True)
class Command:
    """One command of the operator: `deploy`, `rollback` or `repair`, and what befalls it.

    seed: the order in which the hosts' threads take turns, 0 for one after another; after: the
    seconds since the command before; liar: a host that lies in all its answers meanwhile; answers:
    what a person says in turn about hosts that fail, and then to stop; none where nobody is there.
    """

    verb: str
    build: Build = OFFERED[0]
    strikes: tuple[Strike, ...] = ()
    seed: int = 0
    after: float = 0.0
    liar: Liar | None = None
    answers: tuple[Answer, ...] = ()


class Crash(BaseException):
    """The workstation is gone; no handler of ours hears of it."""
