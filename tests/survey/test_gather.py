"""All hosts are looked at, and whoever cannot be read is told."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import builders
import pytest

from deploy.command_result import CommandResult
from deploy.errors import ConnectionLost, DeployError, RemoteError, Unreachable
from deploy.survey import gather as survey

if TYPE_CHECKING:
    from deploy.aws.target_groups import Balancer
    from deploy.aws.targets import Health, Target, TargetGroup
    from deploy.hosts.scripts.script import Script
    from deploy.hosts.ssh.remote import Remote
    from deploy.survey.facts import HostFacts, Survey


def owned(*paths: str) -> str:
    """What a host prints of the owners of these paths, each as `find` has it."""
    records = "".join(each + 2 * "\0" for each in paths)
    return f"web.own.paths={records.encode().hex()}\n"


SYSTEM = "init=systemd\nsystemd=systemd 252 (252.39-1~deb12u1)\n"
PRINTED = SYSTEM + owned("755 0 0 2 d .")


class Telling:
    """A host that answers the survey with a text, an exit code or an error."""

    def __init__(
        self, number: int, answer: CommandResult | DeployError, *first: RemoteError
    ) -> None:
        """`first`: what goes wrong before the answer."""
        self.host = builders.host(number)
        self._answer, self._first = answer, list(first)

    def ask(self, script: Script[HostFacts], timeout_seconds: float) -> HostFacts:
        del timeout_seconds
        if self._first:
            raise self._first.pop(0)
        if isinstance(self._answer, DeployError):
            raise self._answer
        return script.parse(self._answer)


class Healthy:
    """A balancer that knows nothing but its groups."""

    @staticmethod
    def health(group: TargetGroup) -> dict[Target, Health]:
        del group
        return {}


def gather(*hosts: Telling) -> Survey:
    remotes = {one.host.name: cast("Remote", one) for one in hosts}
    return survey.gather(
        builders.environment(),
        remotes,
        cast("Balancer", Healthy()),
        {"web": (builders.group(),)},
    )


def answered(text: str, code: int = 0, stderr: str = "") -> CommandResult:
    return CommandResult("survey", code, text, stderr, facts=tuple(text.splitlines()))


def test_every_host_that_cannot_be_read_is_named() -> None:
    broken = [Telling(number, RemoteError(f"host-{number}: gone")) for number in (2, 3)]
    seen = gather(Telling(1, answered(PRINTED)), *broken)
    assert seen.unreachable == {"host-2": "host-2: gone", "host-3": "host-3: gone"}
    assert [host.name for host in seen.everyone] == ["host-1", "host-2", "host-3"]


def test_a_host_whose_connection_breaks_is_asked_again() -> None:
    lost = ConnectionLost("host-1: survey: the connection broke")
    assert gather(Telling(1, answered(PRINTED), lost)).hosts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SYSTEM, "the owners of what lies under /srv/web cannot be read"),
        (SYSTEM + owned("755 0 0 2 d .", "755 998 0 2 d ./srv/web"), "sudo chown root:root /srv/"),
    ],
    ids=["unknown", "another's"],
)
def test_p7_a_host_whose_files_others_could_change_is_refused(text: str, said: str) -> None:
    assert re.search(said, gather(Telling(1, answered(text))).unreachable["host-1"])


def test_a_user_without_sudo_is_told_what_to_allow() -> None:
    refusal = answered("", 1, "sudo: a password is required\n")
    refusal = replace(refusal, start_seconds=-1.0)
    first, second, _ = gather(Telling(1, refusal)).unreachable["host-1"].split("\n")
    assert first == (
        "host-1: sudo without a password does not work for the SSH user: "
        "sudo: a password is required"
    )
    assert second.startswith("  allow it in /etc/sudoers.d: ")


def test_a_look_that_fails_after_it_began_is_no_fault_of_sudos() -> None:
    failed = answered("", 2, "sh: 3: Syntax error\n")
    said = gather(Telling(1, failed)).unreachable["host-1"]
    assert said == "host-1: looking at it ended with exit code 2: sh: 3: Syntax error"


def test_a_host_whose_instance_does_not_run_is_named_with_its_state() -> None:
    stopped = Telling(1, Unreachable("host-1: no SSH connection"))
    stopped.host = replace(stopped.host, state="stopped")
    assert gather(stopped).unreachable["host-1"] == (
        f"host-1: its instance {stopped.host.instance_id} is stopped; start it, or take it out of "
        "`hosts:`"
    )


def slow(seconds: float, around: str = "") -> CommandResult:
    printed = answered(PRINTED)
    return replace(printed, start_seconds=seconds, around=around)


def test_hosts_that_are_slow_to_begin_are_named_once_with_sudos_own_words() -> None:
    words = "Welcome\n\x1b[1msudo: unable\n  sudo: unable to resolve host  host-2: try again\n"
    seen = gather(
        Telling(1, slow(12.7)),
        Telling(2, slow(4, words)),
        Telling(3, slow(2.9, "sudo: unable to resolve host host-3")),
    )
    assert seen.notes == (
        "host-1, host-2: each command takes up to 13 s to begin, so this takes long; host-2 says: "
        "sudo: unable to resolve host host-2: try again",
    )
    (note,) = gather(Telling(1, slow(5))).notes
    assert note.endswith("look there at sudo, PAM and the start-up files of the login shell")
    assert gather(Telling(1, slow(0.1, "sudo: unable to resolve host host-1"))).notes == ()


INSTALL = "install sudo there, or set `ssh: user: root`"


@pytest.mark.parametrize(
    ("code", "printed", "shown"),
    [
        (127, "bash: sudo: command not found", "bash: sudo: command not found"),
        (127, "sh: 1: sudo: not found", "sh: 1: sudo: not found"),
        (127, "fish: Unknown command: sudo\nfish: \nx\n^~~~^", "fish: Unknown command: sudo"),
        (1, "sudo: Command not found.\nlogout", "sudo: Command not found."),
    ],
)
def test_a_host_without_sudo_is_told_apart_from_one_that_asks_for_a_password(
    code: int, printed: str, shown: str
) -> None:
    refusal = replace(answered("", code, printed), start_seconds=-1.0)
    said = gather(Telling(1, refusal)).unreachable["host-1"]
    assert said == f"host-1: the SSH user has no sudo: {shown}; {INSTALL}"


def test_a_port_that_a_host_may_give_away_is_named_once_for_all_such_hosts() -> None:
    given: dict[str, Any] = {"given_ports": (range(32768, 61000),)}
    reserved = given | {"reserved_ports": (range(48326, 48327),)}
    facts = [builders.facts(1, **given), builders.facts(2, **reserved), builders.facts(3, **given)]
    app = builders.app("web", 5000, 48326)
    (text,) = survey.ports_in_danger(facts, [app])
    assert text.startswith("host-1, host-3: port 48326 of web: the kernel gives such to outgoing ")
    assert "add 48326 to net.ipv4.ip_local_reserved_ports in /etc/sysctl.d" in text
    (both,) = survey.ports_in_danger(facts[:1], [builders.app("web", 48326, 48327)])
    assert "add 48326,48327 to " in both, "one line, since a second one would undo the first"
    assert survey.ports_in_danger(facts, [builders.app()]) == ()
