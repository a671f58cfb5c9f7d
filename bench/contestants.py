"""Who does the job, as data; a strategy of ours is its settings, a peer its driver."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench import limit
from bench.job import APP, GROUP, OLD, PORT, NotMeasured
from bench.job import NEW as TO
from bench.limit import PROPAGATION_SECONDS, PROVE_SECONDS
from bench.peers.ansible import Ansible
from bench.peers.script import Script
from deploy.errors import BadInput, DeployError
from deploy.session import arguments
from lab.project import Project

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from bench.job import Driver, Ground, Waits

REFUSED = 2
LONGEST_SECONDS = 900.0


@dataclass(frozen=True)
class Product:
    """Changeover with these settings over the job's own."""

    rollout: Mapping[str, Any]
    environment: Mapping[str, Any] = field(default_factory=dict)
    app: Mapping[str, Any] = field(default_factory=dict)

    def begin(self, ground: Ground) -> None:
        """All hosts at once, by a plain rolling deploy: the same start for every strategy."""
        project = self.project(ground)
        try:
            arguments.environment_of(project.file, "lab", None, None)
        except BadInput as error:
            raise NotMeasured(str(error).splitlines()[0]) from error
        plain = Product({"batch": "100%"})
        plain.run(ground, OLD, "--allow-downtime")

    def deploy(self, ground: Ground) -> None:
        """The command a person would type."""
        self.run(ground, TO)

    def run(self, ground: Ground, version: str, *more: str) -> None:
        """`inv deploy` of a version."""
        words = ("deploy", "--env", "lab", "--package", version, "--yes", *more)
        ran = self.project(ground).start(*words).wait(LONGEST_SECONDS)
        if ran.code == REFUSED:
            raise NotMeasured(ran.output.strip().splitlines()[-1])
        if ran.code:
            raise DeployError(
                f"the deploy of {version} ended with {ran.code}:", *ran.output.splitlines()
            )

    def project(self, ground: Ground) -> Project:
        """The ground's folder as a user's project, its settings written anew."""
        app = {
            "package": "packages/web.*.zip",
            "command": "web --port {port}",
            "ports": [PORT],
            "target_group": GROUP,
            "longest_request_seconds": 5,
            "prove_seconds": PROVE_SECONDS,
        }
        environment = {
            "from": str(ground.lab.folder / "environment.yaml"),
            "propagation_seconds": PROPAGATION_SECONDS,
            "rollout": dict(self.rollout),
        }
        settings = {
            "deploy": {
                "apps": {APP: app | dict(self.app)},
                "environments": {"lab": environment | dict(self.environment)},
            }
        }
        project = Project(ground.folder, ground.lab, settings)
        project.configure()
        return project


@dataclass(frozen=True)
class Contestant:
    """One row of the comparison.

    part: the word that selects it; cannot: what it does not do of the job, or does not promise;
    waits: what its waits come to, which is the limit of its wall time; at_sixteen: whether it is
    measured at 16 hosts too.
    """

    name: str
    part: str
    driver: Driver
    cannot: str = ""
    waits: Waits | None = None
    at_sixteen: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether its lost requests are ours."""
        return isinstance(self.driver, Product)


QUIET = {"quiet_seconds": 1}
WAIT, QUICK, WINDOW, SURGE = "rolling wait", "rolling quiet", "window 2", "surge"
ANSIBLE, ANSIBLE_HALF, SCRIPT = "Ansible, serial 1", "Ansible, serial 50%", "ssh, scp and waiters"
_NO_PEER = (
    "no lock against a second deploy; a host that fails stays out; going back is another run; "
    "after a kill, what was left is unknown"
)
CONTESTANTS = (
    Contestant(WAIT, "rolling", Product({"batch": 1}), waits=limit.in_turn, at_sixteen=True),
    Contestant(QUICK, "rolling", Product({"batch": 1, "drain": "quiet"}, QUIET)),
    Contestant(WINDOW, "rolling", Product({"window": 2})),
    Contestant(
        SURGE,
        "surge",
        Product({"strategy": "surge", "drain": "quiet"}, QUIET, {"ports": [PORT, PORT + 1]}),
        waits=limit.canary_then_all,
        at_sixteen=True,
    ),
    Contestant(
        ANSIBLE,
        "ansible",
        Ansible("1"),
        f"the whole delay for each host; one good answer is all the proof; {_NO_PEER}",
        at_sixteen=True,
    ),
    Contestant(
        ANSIBLE_HALF,
        "ansible",
        Ansible("50%"),
        "the same, and half of the fleet is out at once",
    ),
    Contestant(
        SCRIPT,
        "script",
        Script(),
        f"boto3's waiters look every 15 s; no proof but the load balancer's; {_NO_PEER}",
    ),
)
