"""`inv lab.up`, `lab.down`, `lab.load`, `lab.replay`: the lab from the command line."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke import Collection, Exit, task

from deploy.errors import BadInput, DeployError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent


@contextmanager
def _one_sentence() -> Iterator[None]:
    """Turn our own errors into a message and an exit code."""
    try:
        yield
    except DeployError as error:
        raise Exit(str(error), code=error.exit_code) from error
    except KeyboardInterrupt:
        raise Exit("interrupted", code=130) from None


def _number(option: str, text: str) -> float:
    """Read a number from the command line; Invoke's own conversion ends in a traceback."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadInput(f"--{option} {text}: give a number, as in `--{option} 4`")
    return number


@task(
    auto_shortflags=False,
    help={
        "hosts": "how many hosts (default 4)",
        "suite": "bullseye, bookworm, trixie, or several with commas: they take turns",
    },
)
def up(_context: Any, hosts: str = "4", suite: str = "bookworm") -> None:
    """Start the lab: hosts, AWS API, load balancer; what already runs is kept."""
    from lab.fleet import Lab  # noqa: PLC0415  # `inv --list` must stay fast

    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {line}", flush=True)

    with _one_sentence():
        suites = [name.strip() for name in suite.split(",") if name.strip()]
        count = _number("hosts", hosts)
        if not count.is_integer():
            raise BadInput(f"--hosts {hosts}: give a whole number")
        lab = Lab.up(ROOT, int(count), suites or [suite], say)
        print()
        width = max(len(host.name) for host in lab.hosts)
        for host in lab.hosts:
            print(f"{host.name:<{width}}  {host.address:<15}  {host.instance_id}  {host.zone}")
        print(f"\nweb    {lab.url('web')}\nadmin  {lab.url('admin')}\nAPI    {lab.api}")
        print("\nnext: inv deploy --env lab --package PACKAGE     the end: inv lab.down")


@task
def down(_context: Any) -> None:
    """Stop and remove the lab, or what a dead one left."""
    from lab.checkout import take_down  # noqa: PLC0415  # `inv --list` must stay fast

    with _one_sentence():
        removed = take_down(ROOT)
        print(f"the lab is down: {removed} hosts removed" if removed else "no lab was running")


@task(
    auto_shortflags=False,
    help={
        "rate": "requests per second (default 150)",
        "seconds": "how long (default 30)",
        "app": "web or admin: which listener of the load balancer",
    },
)
def load(_context: Any, rate: str = "150", seconds: str = "30", app: str = "web") -> None:
    """Send requests to the lab's load balancer and count what fails."""
    from lab import load as generator  # noqa: PLC0415  # `inv --list` must stay fast
    from lab.fleet import Lab  # noqa: PLC0415  # the same

    with _one_sentence():
        lab = Lab.attach(ROOT)
        listeners = next(iter(lab.ports.values()))
        if app not in listeners:
            raise BadInput(f"no app {app!r} in the lab: there are {', '.join(listeners)}")
        figures = [f"--rate={_number('rate', rate)}", f"--seconds={_number('seconds', seconds)}"]
        print(f"{rate} requests/s to {lab.url(app)} for {seconds} s", flush=True)
        code = generator.main([lab.url(app), *figures])
    if code:
        raise Exit(code=code)


@task(auto_shortflags=False, help={"trace": "a file that `inv observe` wrote"})
def replay(_context: Any, trace: str) -> None:
    """Make the lab's load balancer behave as one that was observed."""
    from lab import replay as traces  # noqa: PLC0415  # `inv --list` must stay fast
    from lab.fleet import Lab  # noqa: PLC0415  # the same

    with _one_sentence():
        knobs = traces.replay(Lab.attach(ROOT), traces.read(Path(trace)))
    print("\n".join(f"{name}: {value:g}" for name, value in knobs.items()))


namespace = Collection("lab", up, down, load, replay)
