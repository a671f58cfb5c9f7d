"""The possible decisions about a failed host, and those that an option makes. Pure.

Its recovery is over by then: it serves what ran before or, where that is not possible, it is out.
So a question keeps no host drained, and no answer to it has to hurry.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Answer(enum.StrEnum):
    """What is decided about a host; the words of `--on-failure`."""

    RETRY = "retry"
    PUT_BACK = "put-back"
    LEAVE_OUT = "leave-out"
    STOP = "stop"
    ROLLBACK = "rollback"


ASK = "ask"
"""What `--on-failure` says where a person decides."""

FOR_ONE_HOST = frozenset({Answer.RETRY, Answer.PUT_BACK, Answer.LEAVE_OUT})
"""The answers after which the others go on; STOP and ROLLBACK end the rollout."""


class Standing(enum.Enum):
    """How a host is after its recovery."""

    STAGING = "nothing that serves was touched: its staging failed"
    BACK = "every app serves what ran before"
    PARTLY = "some of its apps serve the new release, the others what ran before"
    NEW = "the new release serves; what was left to do failed"
    OUT = "an app of it is out of service"
    GONE = "its instance has ended"
    UNKNOWN = "a defect of ours ended its part"


AS_BEFORE = frozenset({Standing.STAGING, Standing.BACK, Standing.PARTLY})
"""Where the apps that do not run the new release serve what ran before."""


@dataclass(frozen=True)
class Case:
    """A host about which a decision is due.

    Attributes:
        standing: How it is.
        has_previous: Whether it has a release, or a previous unit, to go back to.
        may_roll_back: Whether hosts have the new release that could go back with it.
    """

    standing: Standing
    has_previous: bool = True
    may_roll_back: bool = False


@dataclass(frozen=True)
class FailureCounts:
    """How a rollout stands, for an answer that no person gives.

    Attributes:
        tries: How often an option has answered for this host already.
        failed: How many hosts failed.
        deployed: How many have the new release.
    """

    tries: int
    failed: int
    deployed: int


def offered(case: Case) -> tuple[Answer, ...]:
    """What can be decided, in the order in which it is shown.

    - A retry, also of a release that is marked as failed: the mark keeps a default from picking
      it, a person has named it, and a success removes the mark. None where the new release serves:
      what is left there is for a repair. None for an instance that has ended, and none where
      it is unknown what was done.
    - Put back, only where the recovery could not do so and there is something to go back to: a
      host that is back already has it behind it.
    - To leave it as it is, and to stop: always.
    - To roll back, where hosts have the new release.
    """
    can_run = case.standing not in {Standing.NEW, Standing.GONE, Standing.UNKNOWN}
    is_out = case.standing is Standing.OUT
    is_possible = {
        Answer.RETRY: can_run,
        Answer.PUT_BACK: is_out and case.has_previous,
        Answer.LEAVE_OUT: True,
        Answer.STOP: True,
        Answer.ROLLBACK: case.may_roll_back,
    }
    return tuple(answer for answer in Answer if is_possible[answer])


def automatic(option: Answer, case: Case, counts: FailureCounts) -> Answer | None:
    """What `--on-failure` answers for a host; None where the policy of the settings does.

    option: one of FOR_ONE_HOST.

    - `retry`: once for each host.
    - `put-back`: a host that is out is put back once; past one that serves what ran before, the
      others go on.
    - `leave-out`: the others go on.

    The others go on only while at least as many hosts have the new release as failed: no option
    takes a bad release through a whole fleet.
    """
    if option is not Answer.LEAVE_OUT and option in offered(case):
        return option if not counts.tries else None
    is_right = option is Answer.LEAVE_OUT or (
        option is Answer.PUT_BACK and case.standing in AS_BEFORE
    )
    return Answer.LEAVE_OUT if is_right and counts.failed <= counts.deployed else None
