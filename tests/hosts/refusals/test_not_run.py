"""What stands in place of an answer is named by whose it is: sudo's, the image's or the shell's."""

from __future__ import annotations

import pytest

from deploy.hosts.refusals import not_run
from deploy.hosts.scripts.script import TAKEN_OVER

IMAGE = 'Please login as the user "ec2-user" rather than the user "root".'


@pytest.mark.parametrize(
    ("user", "code", "printed", "said"),
    [
        (
            "deploy",
            1,
            "sudo: a password is required",
            "sudo without a password does not work for user 'deploy': sudo: a password is "
            "required\n  allow it in /etc/sudoers.d: deploy ALL=(ALL) NOPASSWD: ALL\n",
        ),
        (
            "",
            1,
            "motd\nsudo: sorry, you must have a tty to run sudo\nbye",
            "sudo without a password does not work for the SSH user: sudo: sorry, you must have a "
            "tty to run sudo\n  allow it in /etc/sudoers.d: USER ALL=(ALL) NOPASSWD: ALL\n"
            "  if sudo wants a terminal, add: Defaults:USER !requiretty",
        ),
        (
            "app",
            127,
            "bash: line 1: sudo: command not found",
            "user 'app' has no sudo: bash: line 1: sudo: command not found; install sudo there, or "
            "set `ssh: user: root`",
        ),
        ("app", 127, "sh: 1: sudo: not found", "user 'app' has no sudo: sh: 1: sudo: not found;"),
        ("root", 142, IMAGE, f"user 'root' may not log in: {IMAGE}; set `ssh: user: ec2-user`"),
        (
            "web",
            1,
            "This account is currently not available.",
            "the login shell of user 'web' did not run the command: This account is currently not "
            "available.; give the user a shell that runs commands",
        ),
        (
            "web",
            1,
            "Sorry, user web is not allowed to execute '/usr/bin/sh -c read -r n && eval \"$(head "
            '-c "$n")"\' as root on web-1.',
            "sudo without a password does not work for user 'web': Sorry, user web is not allowed",
        ),
        (
            "web",
            1,
            "Leider darf der Benutzer web »/usr/bin/sh -c read -r n && eval …« als root auf web-1 "
            "nicht ausführen.",
            "sudo without a password does not work for user 'web': Leider darf der Benutzer web",
        ),
        (
            "web",
            1,
            "web is not in the sudoers file.",
            "sudo without a password does not work for user 'web': web is not in the sudoers file",
        ),
        (
            "web",
            1,
            "WARNING: Your password has expired.\nPassword change required but no TTY available.",
            "the password of user 'web' has expired: Password change required but no TTY "
            "available.; set a new one there, or let it not expire: chage -M -1 web",
        ),
        (
            "web",
            126,
            f"sh: 1: 11545: not found\n{TAKEN_OVER}",
            "the login shell of user 'web' did not run the command: a start-up file of it\n"
            "  (such as ~/.bashrc) starts another shell, which reads the command's input;\n"
            "  let it do so in interactive shells alone",
        ),
        (
            "web",
            127,
            "fish: Unsupported use of '='.\n_mark=$1 _most_characters=$2 _most_bytes=$3\n^~~~~~^",
            "the login shell of user 'web' did not run the command: a start-up file of it\n"
            "  (such as ~/.bashrc) starts another shell, which reads the command's input;",
        ),
        ("web", 1, "rbash: sh: restricted", "the login shell of user 'web' did not run the comm"),
        ("web", 1, "Unmatched '", "the login shell of user 'web' did not run the command: Unm"),
        ("web", 3, "", "the login shell of user 'web' did not run the command: exit code 3; give"),
    ],
)
def test_what_did_not_run_is_named_by_whose_words_these_are(
    user: str, code: int, printed: str, said: str
) -> None:
    for out, err in ((printed, ""), ("", f"\n{printed}\n")):
        lines = not_run.refusal("web-1", user, code, out, err)
        assert "\n".join(lines).startswith(f"web-1: {said}")


def test_what_is_printed_acts_on_no_terminal_and_is_short() -> None:
    said = "\n".join(not_run.refusal("web-1", "a", 1, "sudo: \x1b[2J" + "x" * 5000, ""))
    assert "\x1b" not in said
    assert len(said) < 1000


def test_the_last_word_of_each_stream_is_shown() -> None:
    """What a message of the day prints does not hide what went wrong."""
    (line,) = not_run.refusal("web-1", "web", 1, "Welcome\nto prod\n", "bash: fork: no memory\n")
    assert "did not run the command: bash: fork: no memory; to prod; give" in line
