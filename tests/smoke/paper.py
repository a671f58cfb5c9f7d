"""An app with smoke tests through the load balancer, and plans for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import builders

from deploy.plan import assembly
from deploy.smoke import placing
from deploy.survey.slot import Slot

if TYPE_CHECKING:
    from deploy.plan.plan import Plan
    from deploy.settings.app import App
    from deploy.survey.facts import HostFacts

THROUGH = {"url": "https://www.example.org"}
SMOKE = [{"path": "/"}, {"path": "/cart", "expect": "404", "new": True}]


def app(name: str = "web", *ports: int, **settings: Any) -> App:
    """An app with two smoke tests, which are asked through the load balancer too."""
    return builders.app(name, *ports, **{"smoke": SMOKE, "smoke_through": THROUGH} | settings)


def old(count: int, *names: str) -> list[HostFacts]:
    """Hosts that run the old release of these apps, `web` by default."""
    slots = {name: builders.slot() for name in names or ("web",)}
    spares = {name: Slot(kept=builders.slot().kept) for name in slots}
    return [builders.facts(number, slots, spares=spares) for number in range(1, count + 1)]


def planned(
    hosts: list[HostFacts], *apps: App, group: dict[str, Any] | None = None, **environment: Any
) -> Plan:
    """The plan of a deploy to them."""
    served = apps or (app(),)
    seen = builders.survey(hosts, apps=served, **(group or {}))
    offers = tuple(builders.offer(each, hosts) for each in served)
    made = assembly.make(
        builders.environment(*served, **environment), offers, seen, allow_downtime=True
    )
    return placing.placed(made)
