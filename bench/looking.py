"""How long `inv status` takes on 20 hosts once it is connected.

The command's own session, opened here, so that the time of the connections can be taken apart.
"""

from __future__ import annotations

import io
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from rich.console import Console

from bench.contestants import Product
from bench.job import OLD
from deploy.errors import DeployError
from deploy.screen import status, status_table
from deploy.session import arguments, session
from deploy.settings.scope import Scope

if TYPE_CHECKING:
    from bench.job import Ground
    from deploy.settings.environment import Environment

ROUNDS = 5


def seconds(ground: Ground) -> float:
    """From connected to the table, the median, on hosts that all run 1.0.0."""
    ground.lab.reset()
    plain = Product({"batch": "100%"})
    plain.run(ground, OLD, "--allow-downtime")
    loaded = arguments.environment_of(plain.project(ground).file, "lab", None, None)
    return statistics.median(_once(loaded, len(ground.lab.hosts)) for _ in range(ROUNDS))


def _once(loaded: Environment, hosts: int) -> float:
    with session.Session(loaded, scope=Scope("lab")) as opened:
        with ThreadPoolExecutor(hosts) as pool:
            for done in [pool.submit(each.connect) for each in opened.everyone.values()]:
                done.result()
        began = time.monotonic()
        seen = status.overview(loaded, opened.survey(for_plan=False))
        Console(file=io.StringIO(), width=200).print(status_table.render_overview(seen))
        ended = time.monotonic()
    if len(seen.rows) != hosts or seen.is_mixed:
        raise DeployError(f"inv status saw something else than {OLD} on {hosts} hosts: {seen}")
    return ended - began
