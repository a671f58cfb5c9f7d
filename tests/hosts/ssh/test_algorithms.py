"""P7: the algorithms that are offered are OpenSSH's, and what is missing is named."""

from __future__ import annotations

import shutil

import pytest

from audit import ssh as wall
from deploy.hosts.ssh.algorithms import DIRECTIVES, OPENSSH, Mismatch, mismatches, offered

OURS = dict.fromkeys(DIRECTIVES, ("a", "b"))
THEIRS = {kind: [["x", "b"]] for kind in DIRECTIVES}


@pytest.mark.skipif(shutil.which("ssh") is None, reason="no OpenSSH client to compare with")
@pytest.mark.parametrize("kind", DIRECTIVES)
def test_the_pinned_list_has_nothing_that_the_installed_openssh_does_not_offer(kind: str) -> None:
    assert set(OPENSSH[kind]) <= wall.openssh()[kind]


def test_only_what_is_known_on_both_sides_is_offered_in_openssh_order() -> None:
    known = ("3des-cbc", "aes128-ctr", "aes256-gcm@openssh.com", "aes128-cbc")
    assert offered("ciphers", known) == ("aes256-gcm@openssh.com", "aes128-ctr")


def test_nothing_weak_is_pinned() -> None:
    names = " ".join(name for kind in OPENSSH.values() for name in kind)
    for weak in ("cbc", "md5", "sha1", "arcfour", "ssh-dss", "ssh-rsa", "-96"):
        assert weak not in names


def test_a_kind_counts_when_either_direction_has_nothing_in_common() -> None:
    assert mismatches(OURS, THEIRS) == ()
    theirs = THEIRS | {"ciphers": [["a"], ["x"]], "macs": [["y"], ["z"]]}
    assert mismatches(OURS, theirs) == (
        Mismatch("ciphers", ("x",), ("a", "b")),
        Mismatch("macs", ("y",), ("a", "b")),
    )


def test_a_servers_names_reach_the_screen_only_if_they_are_names() -> None:
    hostile = ("\x1b]0;pwned\x07", "a b", "::stop-commands::x", "aes", "n" * 65, "[red]", "ok@x.y")
    shown = str(Mismatch("ciphers", hostile, ("aes128-ctr",)))
    assert shown.startswith("no Ciphers in common: the server allows aes, ok@x.y and 5 more; off")
    assert "none with a valid name" in str(Mismatch("ciphers", ("", "\n"), ("aes128-ctr",)))
    assert len(str(Mismatch("kex", tuple(f"k{n}" for n in range(10_000)), ("a",)))) < 400
