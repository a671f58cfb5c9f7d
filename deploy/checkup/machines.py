"""Checks each machine: whether it can be reached, trusted, logged in to and used."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from deploy.aws.inventory import Host
from deploy.checkup.refusals import Refusals, one_each
from deploy.crew import MOST_HOSTS_AT_ONCE
from deploy.errors import BadInput
from deploy.folding import DETAIL, short, without_name
from deploy.hosts.route.routes import Routes
from deploy.hosts.ssh.remote import Remote
from deploy.plan import exclusion, fitness
from deploy.survey import gather

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from deploy.aws.inventory import Found
    from deploy.plan.exclusion import Problems
    from deploy.settings.environment import Environment


@contextmanager
def connected(
    environment: Environment, hosts: Iterable[Host]
) -> Iterator[tuple[dict[str, Remote], dict[str, str]]]:
    """Connections to these machines, not yet open, by name; and why others cannot be made.

    They are closed when the block ends.
    """
    remotes: dict[str, Remote] = {}
    refused: dict[str, str] = {}
    with closing(Routes()) as routes:
        for host in hosts:
            try:
                remotes[host.name] = Remote(host, environment, routes)
            except BadInput as error:
                refused[host.name] = str(error)
        try:
            yield remotes, refused
        finally:
            with ThreadPoolExecutor(max_workers=MOST_HOSTS_AT_ONCE) as pool:
                for remote in remotes.values():
                    pool.submit(remote.close)


def problems(environment: Environment, hosts: Iterable[Host]) -> Problems:
    """Return the problems of these machines, by name; nothing is changed there.

    Of what needs the load balancer's side nothing is judged here.
    """
    with connected(environment, hosts) as (remotes, refused):
        facts, unread = gather.read_hosts(environment, remotes)
    return exclusion.joined(
        one_each(refused | unread),
        {each.host.name: tuple(fitness.lacking(each)) for each in facts},
    )


def refuse_all(
    environment: Environment,
    hosts: Iterable[Host],
    refusals: Refusals,
    beside: Callable[[], object],
) -> None:
    """Raise what was noted, with what is wrong with these machines and beside them."""
    refusals.of_hosts(problems(environment, hosts))
    with refusals.noted():
        beside()
    refusals.raise_all()


def at(places: dict[str, str]) -> list[Host]:
    """Listed machines that no instance was found for, as hosts that can be asked."""
    return [Host(name, address, "") for name, address in places.items()]


def misplaced(environment: Environment, found: Found) -> dict[str, str]:
    """Why listed machines are no hosts, by name, with what the machine at the address shows."""
    there = problems(environment, at(found.places))
    return {
        name: "\n".join(
            (
                why,
                *(
                    f"{DETAIL}there{without_name(short(each), name)}"
                    for each in there.get(name, ())
                ),
            )
        )
        for name, why in found.problems.items()
    }
