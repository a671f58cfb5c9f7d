"""Steady load on the lab's load balancer, from a process of its own, with every failure kept.

`python -m lab.load URL --rate 150 --seconds 60` prints one line; `Load` is the same in a test.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from deploy.errors import BadInput, DeployError
from lab.generator import (
    ANSWER_LIMIT_SECONDS,
    SLOW_SECONDS,
    Failure,
    Generator,
    Schedule,
    Tally,
)

if TYPE_CHECKING:
    from types import TracebackType

FASTEST_RATE = 1000.0
LONGEST_SECONDS = 3600.0
MODEST_RATE = 30.0
"""For a test whose promise is another than P1: a gap of 33 ms is seen, at little cost."""


@dataclass(frozen=True)
class LoadResult:
    """What came of a run. Times in unix seconds; milliseconds of the quick requests only,
    counted from when each was due. Versions are those of the answers' X-Version headers.
    """  # noqa: D205 - one thought

    requests: int
    failed: int
    failures: tuple[Failure, ...]
    by_version: dict[str, int]
    p50_ms: float
    p99_ms: float
    first_seen: dict[str, float]
    last_seen: dict[str, float]

    def __str__(self) -> str:
        versions = ", ".join(f"{name}: {count}" for name, count in sorted(self.by_version.items()))
        return (
            f"{self.requests} requests, {self.failed} failed, p50 {self.p50_ms:.1f} ms, "
            f"p99 {self.p99_ms:.1f} ms ({versions or 'no version seen'})"
        )

    @classmethod
    def of(cls, tally: Tally) -> LoadResult:
        """Sum up a finished tally."""
        p50, p99 = tally.percentiles()
        return cls(
            requests=tally.requests,
            failed=len(tally.failures),
            failures=tuple(tally.failures),
            by_version=dict(tally.by_version),
            p50_ms=p50,
            p99_ms=p99,
            first_seen=tally.first_seen,
            last_seen=tally.last_seen,
        )

    @classmethod
    def from_json(cls, text: str) -> LoadResult:
        """Read what another process wrote."""
        values = json.loads(text)
        values["failures"] = tuple(Failure(**failure) for failure in values["failures"])
        return cls(**values)


def schedule(
    url: str,
    *,
    rate: float = 150.0,
    slow_share: float = 0.02,
    slow_seconds: float = SLOW_SECONDS,
    seconds_limit: float = 600.0,
    answer: int = 0,
) -> Schedule:
    """Check what is asked for; raises BadInput for other than loopback hosts or wild figures."""
    parts = urlsplit(url)
    try:
        host = "127.0.0.1" if parts.hostname == "localhost" else str(parts.hostname)
        is_ours = ipaddress.ip_address(host).is_loopback and parts.scheme == "http"
        port = parts.port or 80
    except ValueError:
        is_ours, host, port = False, "", 0
    if not is_ours:
        raise BadInput(
            f"{url}: load is sent to a loopback address only; give http://127.0.0.1:PORT"
        )
    if not 0 < rate <= FASTEST_RATE:
        raise BadInput(f"rate {rate:g}: give requests per second above 0, up to {FASTEST_RATE:g}")
    if not 0 < seconds_limit <= LONGEST_SECONDS:
        raise BadInput(f"{seconds_limit:g} seconds: give more than 0, up to {LONGEST_SECONDS:g}")
    if not 0 <= slow_share <= 1 or not 0 <= slow_seconds < ANSWER_LIMIT_SECONDS:
        raise BadInput(
            f"slow share {slow_share:g} of {slow_seconds:g} s: give a share from 0 to 1 and fewer "
            f"than {ANSWER_LIMIT_SECONDS:g} seconds"
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Schedule(host, port, path, rate, slow_share, slow_seconds, seconds_limit, answer)


class Load:
    """Load while a with-block runs; `result` after it.

    At the block's end no new request is sent and every answer still due is awaited.
    """

    def __init__(
        self,
        url: str,
        rate: float = 150.0,
        slow_share: float = 0.02,
        slow_seconds: float = SLOW_SECONDS,
        seconds_limit: float = 600.0,
        answer: int = 0,
    ) -> None:
        """`rate` per second, `answer` as in `Schedule`; raises BadInput, see `schedule`."""
        self._schedule = schedule(
            url,
            rate=rate,
            slow_share=slow_share,
            slow_seconds=slow_seconds,
            seconds_limit=seconds_limit,
            answer=answer,
        )
        self._process: subprocess.Popen[str] | None = None
        self._result: LoadResult | None = None

    @property
    def result(self) -> LoadResult:
        """What came of it; raises DeployError while the block still runs."""
        if self._result is None:
            raise DeployError("the load still runs: its result is there after the with-block")
        return self._result

    def __enter__(self) -> Self:
        """Start the process; returns when it sends."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lab.load", "--as-child", json.dumps(asdict(self._schedule))],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C at the terminal is for the deploy; the load ends when its parent says so.
            start_new_session=True,
        )
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        if not self._process.stdout.readline():
            raise DeployError(f"the load did not start: exit code {self._process.wait()}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop sending, await what is due, take the result."""
        assert self._process is not None  # noqa: S101 - set on entering
        try:
            said, _ = self._process.communicate(timeout=ANSWER_LIMIT_SECONDS + 15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise DeployError("the load did not stop when asked to; its result is lost") from None
        if self._process.returncode or not said:
            raise DeployError(f"the load ended with exit code {self._process.returncode}")
        self._result = LoadResult.from_json(said)


async def _send(plan: Schedule, *, until_stdin_closes: bool) -> Tally:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if until_stdin_closes:

        def wait_for_end() -> None:
            sys.stdin.read()
            loop.call_soon_threadsafe(stop.set)

        threading.Thread(target=wait_for_end, daemon=True).start()
        print("sending", flush=True)
    generator = Generator(plan)
    await generator.run(stop)
    return generator.tally


def main(arguments: list[str] | None = None) -> int:
    """Send load and print its line: 0 when nothing failed, 1 when something did, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m lab.load", description="Load for the lab.")
    parser.add_argument("url", nargs="?", default="", help="http://127.0.0.1:PORT[/PATH]")
    parser.add_argument("--rate", type=float, default=150.0, help="requests per second")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long, at most 3600")
    parser.add_argument("--slow-share", type=float, default=0.02, help="0 to 1, sent to /slow")
    parser.add_argument("--as-child", default="", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.as_child:
        plan = Schedule(**json.loads(options.as_child))
        tally = asyncio.run(_send(plan, until_stdin_closes=True))
        try:
            print(json.dumps(asdict(LoadResult.of(tally))), flush=True)
        except BrokenPipeError:  # the parent died: the result is for no process
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    try:
        plan = schedule(
            options.url,
            rate=options.rate,
            slow_share=options.slow_share,
            seconds_limit=options.seconds,
        )
    except BadInput as error:
        print(error, file=sys.stderr)
        return error.exit_code
    result = LoadResult.of(asyncio.run(_send(plan, until_stdin_closes=False)))
    print(result)
    _print_failures(result)
    return 1 if result.failed else 0


def _print_failures(result: LoadResult, most: int = 10) -> None:
    for failure in result.failures[:most]:
        print(f"  {failure.at:.3f} {failure.path}: {failure.reason}")
    if result.failed > most:
        print(f"  ... and {result.failed - most} more")


if __name__ == "__main__":
    sys.exit(main())
