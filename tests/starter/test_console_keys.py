"""Host keys of an instance's console: the first block counts, and nothing else of the text."""

from __future__ import annotations

import pytest

from deploy.starter.console_keys import Printed, fingerprint, parse

KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIPx2BQfC4yN6yb8ko2CSq7Z2SAbCOM1d6TtuXD2K6f0b"
OTHER = "AAAAC3NzaC1lZDI1NTE5AAAAIKm0Z0c3b4m3hQy3nF0m1yq3zq0m4m8c0Q2vY1s0x9aB"
OWN = f"ssh-ed25519 {KEY} root@ip-10-0-0-1\r\n"
BEGIN, END = "-----BEGIN SSH HOST KEY KEYS-----\r\n", "-----END SSH HOST KEY KEYS-----\r\n"
PRINTED = "-----BEGIN SSH HOST KEY FINGERPRINTS-----\n256 {} no comment (ED25519)\n{}"
LAST = "-----END SSH HOST KEY FINGERPRINTS-----\n"


def test_keys_and_their_fingerprints_are_read() -> None:
    found = parse(f"boot\r\n[    9.1] cloud-init[7]: {BEGIN}{OWN}{END}login:")
    assert found == Printed((("ssh-ed25519", KEY),), frozenset({fingerprint(KEY)}))


def test_fingerprints_alone_are_read() -> None:
    own = fingerprint(KEY)
    assert parse("ec2: " + PRINTED.format(own, LAST)) == Printed((), frozenset({own}))


def test_a_later_block_does_not_count() -> None:
    later = f"{BEGIN}ssh-ed25519 {OTHER} a service\r\n{END}"
    assert parse(f"{BEGIN}{OWN}{END}{later}").keys == (("ssh-ed25519", KEY),)


@pytest.mark.parametrize(
    "text",
    ["", OWN, f"{BEGIN}{OWN}", f"{BEGIN}ssh-dss AAAA root@x\r\n{END}", f"{END}{OWN}{BEGIN}"],
    ids=["empty", "no marks", "cut off", "another type", "marks in another order"],
)
def test_a_text_without_a_block_has_no_key(text: str) -> None:
    assert parse(text).keys == ()


def test_a_fingerprint_is_openssh_s() -> None:
    assert fingerprint("AAAA").startswith("SHA256:")
    assert fingerprint("no base64!") == ""
