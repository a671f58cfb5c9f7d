"""How a script is sent to a host on stdin, and how its answer is separated from other output. Pure.

The argument list is constant, so `ps` and sudo's journal show no token, note or path, and the SSH
user's login shell, csh included, has nothing to misread. The script is one compound command: a
connection that breaks before its last byte leaves a syntax error, and nothing is run. A payload
may follow it.

The answer stands between two lines with a random mark. What a shell's start-up files print is
outside, and so is what sudo and PAM print; on stderr the same lines stand around the script's own
words. A line of facts begins with the same mark, which no process on the host can know.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy import values
from deploy.hosts.scripts.script import TAKEN_OVER, program

if TYPE_CHECKING:
    from collections.abc import Callable

_READ_AND_RUN = """sh -c 'read -r n && eval "$(head -c "$n")"'"""
AS_ROOT = f"sudo -n -u root {_READ_AND_RUN}"  # whatever `runas_default` of the sudoers says
AS_LOGIN_USER = _READ_AND_RUN
ROOT = "root"

FACT_CHARACTERS = 4096
TEXT_BYTES = 64 * 1024


def new_mark() -> str:
    """A secret mark: 32 hex digits."""
    return secrets.token_hex(16)


def command(user: str, *, as_root: bool) -> str:
    """Return the command for an SSH user's login shell; root needs no sudo, which may be absent."""
    return AS_ROOT if as_root and user != ROOT else AS_LOGIN_USER


def framed(script: str, mark: str) -> bytes:
    """The bytes to send: the script's length on a line of its own, then the script in its frame."""
    # No line of its own before "(": all that has an effect is inside the parentheses. A start-up
    # file that says `exec zsh` leaves our command unrun, and the input to a shell without root.
    prelude = program("prelude", mark, FACT_CHARACTERS, TEXT_BYTES).text
    body = (
        f"[ -n \"${{n-}}\" ] || {{ echo '{TAKEN_OVER}' >&2; exit 126; }}\n{prelude}"
        f"printf '\\n%s begin\\n' \"$_mark\" >&2; printf '\\n%s begin\\n' \"$_mark\"\n"
        f"(\n{script}\n)\n_code=$?; printf '\\n%s end\\n' \"$_mark\" >&2\n"
        f'printf \'\\n%s end %s\\n\' "$_mark" "$_code"; exit "$_code"\n'
    ).encode()
    return b"%d\n" % len(body) + body


class TooMuch(Exception):
    """An answer is longer than its limit."""


@dataclass
class Frame:
    """An answer as it arrives.

    Attributes:
        mark: The mark that the script was given.
        most_bytes: How many bytes may arrive, those outside the frame included.
        start: Seconds until the script began, -1 before that, and what was printed around its own
            stderr.
    """

    mark: str
    most_bytes: int
    _arrived: bytearray = field(default_factory=bytearray)
    _searched: int = 0
    _body: tuple[int, int] | None = None
    exit_code: int | None = None
    start: tuple[float, str] = (-1.0, "")

    def feed(self, data: bytes) -> None:
        """Take what arrived; TooMuch where the limit is passed."""
        self._arrived += data
        if len(self._arrived) > self.most_bytes:
            raise TooMuch
        self._find()

    @property
    def has_begun(self) -> bool:
        """Whether the first mark was seen: the login shell did run the script."""
        return self._body is not None

    def _find(self) -> None:
        if self._body is None:
            begin = f"\n{self.mark} begin\n".encode()
            at = self._arrived.find(begin, max(0, self._searched - len(begin)))
            self._searched = len(self._arrived)
            if at < 0:
                return
            start = at + len(begin)
            self._body, self._searched = (start, -1), start
        start, _ = self._body
        last = f"\n{self.mark} end ".encode()
        # The newline that ends "begin" may be the one before "end".
        at = self._arrived.find(last, max(start - 1, self._searched - len(last)))
        self._searched = len(self._arrived) if at < 0 else at + 1
        if at < 0:
            return
        line, newline, _ = self._arrived[at + len(last) :].partition(b"\n")
        if newline:
            self.exit_code = values.number(line.decode("ascii", "replace"), 255)
            self._body = (start, max(at, start))

    def errors(self, printed: str) -> str:
        """Return the script's own stderr; what is printed around it goes to `start`.

        All of it where the script did not run, or before it could print a mark.
        """
        before, begin, rest = printed.partition(f"\n{self.mark} begin\n")
        if not begin:
            return printed
        # The newline that ends "begin" may be the one before "end".
        own, _, after = f"\n{rest}".partition(f"\n{self.mark} end\n")
        self.start = (self.start[0], f"{before}\n{after}".strip())
        return own.removeprefix("\n")

    def text(self) -> tuple[str, tuple[str, ...]]:
        """What the script printed, without its facts; and its facts, each `key=value`.

        Without a frame, what was printed in place of an answer.
        """
        start, end = self._body or (0, -1)
        body = self._arrived[start : end if end >= 0 else None].decode(errors="replace")
        mark = f"{self.mark} "
        lines = body.split("\n")
        facts = tuple(line.removeprefix(mark) for line in lines if line.startswith(mark))
        return "\n".join(line for line in lines if not line.startswith(mark)), facts


@dataclass
class Stream(Frame):
    """An answer without an end, whose lines are passed on as they arrive, and not kept.

    Attributes:
        heard: Gets each line that the script prints, but no empty one and no fact.
        began: Called once, when the script begins.
    """

    heard: Callable[[str], None] = lambda _: None
    began: Callable[[], None] = lambda: None
    _facts: list[str] = field(default_factory=list)

    def feed(self, data: bytes) -> None:
        """Take what arrived; TooMuch where one line passes the limit."""
        had_begun = self.has_begun
        super().feed(data)
        if self._body is None:
            return
        if not had_begun:
            self.began()
        start, stop = self._body
        end = self._arrived.rfind(b"\n", start) + 1 if self.exit_code is None else stop
        if end <= start:
            return
        lines = bytes(self._arrived[start:end]).decode(errors="replace").split("\n")
        del self._arrived[start:end]
        self._body, self._searched = (start, -1 if self.exit_code is None else start), start
        for line in lines:
            if line.startswith(self.mark):
                self._facts.append(line.removeprefix(f"{self.mark} "))
            elif line:
                self.heard(line)

    def text(self) -> tuple[str, tuple[str, ...]]:
        """Return the rest of the last line, and the facts."""
        return super().text()[0], tuple(self._facts)
