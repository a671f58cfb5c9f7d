"""The lab's hosts have the limits of Debian's sshd: a lab that admits more proves less."""

from __future__ import annotations

import re

from lab import image

SETTINGS = {"HostKey", "AuthorizedKeysFile", "PasswordAuthentication"}
"""What the lab needs: keys of each host's own, and no passwords."""


def test_the_lab_sets_no_limit_of_sshd() -> None:
    """Such as MaxStartups and MaxSessions, which many logins at once meet on real hosts."""
    text = image.SETUP.read_text()
    (config,) = re.findall(
        r"sshd_config\.d/\S+ <<'END'\n(.*?)^END$", text, re.DOTALL | re.MULTILINE
    )
    assert {line.split()[0] for line in config.splitlines()} == SETTINGS
    assert text.count("sshd_config") == 1


def test_no_other_file_of_the_lab_changes_a_limit_of_sshd() -> None:
    limits = re.compile(r"MaxStartups|MaxSessions|PerSource\w+|LoginGraceTime|UseDNS")
    folder = image.SETUP.parent
    files = [path for path in folder.iterdir() if path.is_file()]
    assert image.SETUP in files
    assert [path.name for path in files if limits.search(path.read_text())] == []
