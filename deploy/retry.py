"""Retries what failed because a network or an API was down for a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tenacity import Retrying, retry_if_exception, wait_random_exponential

from deploy.clock import CLOCK, Clock
from deploy.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import RetryCallState

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 5.0


def may_pass(error: BaseException) -> bool:
    """Whether the same may work a moment later."""
    return isinstance(error, DeployError) and error.may_pass


def patiently(
    act: Callable[[], T],
    tell: Callable[[str], None],
    patience_seconds: float = PATIENCE_SECONDS,
    clock: Clock = CLOCK,
    is_retried: Callable[[BaseException], bool] = may_pass,
) -> T:
    """Act; where that fails and may pass, act again with growing pauses until the time is up.

    act: safe to repeat, since it is unknown how far a command came whose connection broke; tell:
    called with the reason for each retry; is_retried: whether an error may pass. The time counts
    from the first failure, so that what took long until it broke is retried too. Returns what
    `act` does, or raises the last error.
    """
    first_failed_at: float | None = None

    def is_over(_: RetryCallState) -> bool:
        nonlocal first_failed_at
        now = clock.monotonic()
        if first_failed_at is None:
            first_failed_at = now
        return now - first_failed_at >= patience_seconds

    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        tell(f"tried again: {error}")

    again = Retrying(
        retry=retry_if_exception(is_retried),
        wait=wait_random_exponential(multiplier=0.5, max=LONGEST_PAUSE_SECONDS),
        stop=is_over,
        before_sleep=say,
        sleep=clock.sleep,
        reraise=True,
    )
    return again(act)
