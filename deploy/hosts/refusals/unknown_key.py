"""Explains that a machine's host key is unknown, and what to compare and to add.

An instance prints its host keys' fingerprints to its console when it first starts (cloud-init, "SSH
HOST KEY FINGERPRINTS"), and EC2 has that text (GetConsoleOutput): a way that does not depend on the
connection that is in question.
"""

from __future__ import annotations

from dataclasses import dataclass

from deploy.folding import DETAIL
from deploy.foreign_text import visible


@dataclass(frozen=True)
class ShownKey:
    """A key that a machine showed, and that no known_hosts file has.

    Attributes:
        place: The machine as known_hosts names it, `host` or `[host]:port`; may be a jump host.
        kind: The key's type.
        fingerprint: As OpenSSH prints it, `SHA256:…`.
        blob: The key in base64, as a known_hosts file has it.
        file: The file to add it to: that of the settings, or the user's own.
        note: Which line about the machine was of no use, as the message ends.
    """

    place: str
    kind: str
    fingerprint: str
    blob: str
    file: str
    note: str = ""

    @property
    def line(self) -> str:
        """The line that makes it known."""
        return f"{self.place} {self.kind} {self.blob}"


def refusal(who: str, machine: str, key: ShownKey) -> list[str]:
    """Return the lines: what to compare first, and what to add then, to copy as it stands.

    who: as the message begins; machine: what the machine is called, with its instance id.
    """
    return [
        f"{who}: unknown host key{visible(key.note)}",
        f"{DETAIL}Compare its fingerprint first with the machine's own: an instance prints it when",
        f"{DETAIL}it first starts (aws ec2 get-console-output --output text --instance-id ID).",
        f"{DETAIL}If they are the same, add this to {visible(key.file)}:",
        f"{DETAIL}# {visible(machine)}: {visible(key.kind)} {visible(key.fingerprint)}",
        f"{DETAIL}{visible(key.line)}",
    ]
