"""A unit's sandbox is tried with /bin/true; the directive that a host cannot set up is named."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.hosts.scripts import base, rehearsal
from deploy.unit import sandbox

if TYPE_CHECKING:
    from pathlib import Path

SLOT, STAGED = "/srv/web/slots/5000", "/srv/web/releases/1.0.0-a"
TRIAL = "[Service]\nType=oneshot\nExecStart=/bin/true\nUser=web\nPrivateTmp=yes\nPrivateUsers=yes\n"

# `start` fails for a unit that has one of the lines in `broken`.
SYSTEMCTL = """#!/bin/sh
for unit; do :; done
case "$1$2" in
*start) echo "$unit" >> {root}/started
  ! grep -q -x -F -f {root}/broken "{root}/units/$unit" ;;
show*) printf 'Result=exit-code\\nExecMainCode=1\\nExecMainStatus=217\\n' ;;
*) exit 1 ;;
esac
"""
JOURNAL = (
    "#!/bin/sh\n[ $1 = --sync ] || printf '%s\\n' 'Starting' 'u.service: Failed to set up: no'\n"
)


def tried(root: Path, texts: list[str], broken: str) -> subprocess.CompletedProcess[str]:
    """Run the script with stand-ins for systemd's programs."""
    for name, text in (("systemctl", SYSTEMCTL), ("journalctl", JOURNAL)):
        program = root / name
        program.write_text(text.format(root=root))
        program.chmod(0o755)
    (root / "broken").write_text(broken or "nothing is\n")
    (root / "units").mkdir()
    trials = rehearsal.trials("web", [len(text.encode()) for text in texts])
    script = "\n".join(
        (
            f"set -e; PATH={root}:$PATH; d=$(mktemp -d); trap 'rm -rf \"$d\"' EXIT",
            f"drop() {{ touch {root}/dropped; }}",
            trials.text.replace("/run/systemd/system", f"{root}/units"),
            "echo went on",
        )
    )
    return subprocess.run(
        ["sh", "-c", script], input="".join(texts), capture_output=True, text=True, check=False
    )


def left(root: Path) -> list[str]:
    return [path.name for path in (root / "units").iterdir()]


def test_a_sandbox_that_works_leaves_nothing(tmp_path: Path) -> None:
    ran = tried(tmp_path, [TRIAL, TRIAL.replace("PrivateTmp=yes\n", "")], "")
    assert (ran.returncode, ran.stdout, left(tmp_path)) == (0, "went on\n", []), ran.stderr
    names = (tmp_path / "started").read_text().split()
    assert len(set(names)) == 2
    assert all(name.startswith("changeover-rehearsal.web.") for name in names)


@pytest.mark.parametrize("broken", ["PrivateUsers=yes", "PrivateTmp=yes"])
def test_the_directive_without_which_it_works_is_named(broken: str, tmp_path: Path) -> None:
    ran = tried(tmp_path, [TRIAL], f"{broken}\n")
    assert ran.returncode == base.SANDBOX_REFUSED, ran.stderr
    assert left(tmp_path) == []
    assert (tmp_path / "dropped").exists()
    name = broken.partition("=")[0]
    said = rehearsal.explain("web@5000.service", ran.stdout)
    assert said == (
        f"the sandbox of web@5000.service does not work here because of {name}=: systemd failed "
        "with status 217/USER (Failed to set up: no); repair the host, or leave it out with "
        f"`sandbox: {{{name}: false}}`"
    )


def test_where_no_single_one_is_the_cause_systemds_words_are_given(tmp_path: Path) -> None:
    ran = tried(tmp_path, [TRIAL], "PrivateUsers=yes\nPrivateTmp=yes\n")
    assert ran.returncode == base.SANDBOX_REFUSED
    said = rehearsal.explain("web@5000.service", ran.stdout)
    assert "217/USER (Failed to set up: no); no single directive is the cause" in said


def test_who_the_service_is_stays_when_directives_are_left_out(tmp_path: Path) -> None:
    ran = tried(tmp_path, [TRIAL], "User=web\n")
    assert "Directive=" not in ran.stdout


@given(st.text())
def test_an_answer_of_any_form_is_explained(answer: str) -> None:
    assert rehearsal.explain("web@5000.service", answer).startswith("the sandbox of web@5000")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("ExecMainCode=2\nExecMainStatus=31\n", "ended by signal 31"),
        ("ExecMainStatus=²\n", "systemd could not start /bin/true"),
        ("ExecMainStatus=199\n", "status 199;"),
        ("Directive=$(reboot)\n", "no single directive"),
        ("Directive=RestrictNamespaces\n", "change RestrictNamespaces= in the template"),
    ],
)
def test_what_does_not_fit_is_unknown(answer: str, expected: str) -> None:
    assert expected in rehearsal.explain("web@5000.service", answer)


def test_a_program_that_cannot_be_executed_is_no_fault_of_the_sandbox() -> None:
    words = "Words=Failed to execute /srv/web/current/web: libq.so.6 => not found\n"
    answer = f"Result=exit-code\nExecMainCode=1\nExecMainStatus=1\n{words}"
    said = rehearsal.explain("web@5000.service", answer)
    assert said.startswith(
        "the program of web@5000.service cannot be executed here: Failed to execute "
        "/srv/web/current/web: libq.so.6 => not found; repair the package"
    )
    hidden = rehearsal.explain("web@5000.service", f"{answer}Directive=ProtectHome\n")
    assert "because of ProtectHome=: the program cannot be executed (Failed to execute" in hidden
    assert "`sandbox: {ProtectHome: false}`" in hidden


def rehearsed(*lines: str) -> list[str]:
    text = "\n".join(("[Unit]", "Conflicts=other.service", "[Service]", *lines, "[Install]", "A=b"))
    return sandbox.rehearsal(text, SLOT, STAGED).splitlines()


def test_a_rehearsal_has_the_sandbox_and_nothing_that_acts() -> None:
    kept = [
        "User=web",
        "PrivateUsers=yes",
        "SystemCallFilter=@system-service",
        "WorkingDirectory=/srv/web/current",
        "LimitCORE=0",
        "RestrictNamespaces=yes",
        "ReadWritePaths=/var/lib/other",
    ]
    dropped = [
        "Type=notify",
        "ExecStart=/srv/web/current/web",
        "ExecStartPre=+/bin/rm -rf /x",
        "ExecStopPost=/bin/rm -rf /x",
        "Restart=always",
        "StateDirectory=web",
        "RuntimeDirectory=web",
        "RemoveIPC=yes",
        "Sockets=web.socket",
        "PIDFile=/run/web.pid",
        "EnvironmentFile=/etc/web.env",
        "StandardOutput=append:/var/log/web/log",
        "OnFailure=x.service",
    ]
    found = rehearsed(*kept, *dropped)
    assert [line for line in kept if line not in found] == []
    assert [line for line in dropped if line in found] == []
    assert "Conflicts=other.service" not in found
    assert found.count("ExecStart=/bin/true") == 1
    assert "Type=oneshot" in found


@pytest.mark.parametrize(
    ("start", "tried"),
    [
        ("/srv/web/current/web --port 5000", "/bin/sh -s -- /srv/web/current/web"),
        ("node app.js", "/bin/sh -s -- node"),
        ('"/srv/web/current/a b" c', '/bin/sh -s -- "/srv/web/current/a b"'),
        ("-/srv/web/current/web", "/bin/sh -s -- /srv/web/current/web"),
        (":web", "/bin/sh -s -- web"),
        ("+/srv/web/current/web", "/bin/true"),
        ("!!/srv/web/current/web", "/bin/true"),
        ("", "/bin/true"),
    ],
)
def test_the_units_own_program_is_checked_where_it_runs_within_the_sandbox(
    start: str, tried: str
) -> None:
    text = f"[Service]\nExecStart={start}\nEnvironment=A=b\nEnvironmentFile=/etc/web.env\n"
    found = sandbox.rehearsal(text, SLOT, STAGED, checks_program=True).splitlines()
    assert f"ExecStart={tried}" in found
    is_checked = tried != "/bin/true"
    assert ("Environment=A=b" in found) is is_checked, "what is not found there decides too"
    assert ("EnvironmentFile=/etc/web.env" in found) is is_checked
    assert any(line.startswith("StandardInputData=") for line in found) is is_checked


def test_a_rehearsal_mounts_the_staged_release() -> None:
    found = rehearsed(f"BindReadOnlyPaths={SLOT}:/srv/web/current")
    assert f"BindReadOnlyPaths={STAGED}:/srv/web/current" in found


def test_a_directory_that_the_start_makes_may_be_missing() -> None:
    found = rehearsed(
        "StateDirectory=web web/sub",
        "ReadWritePaths=/var/lib/web/x /var/lib/web /var/lib/webs",
        "WorkingDirectory=/var/lib/web",
    )
    assert "ReadWritePaths=-/var/lib/web/x -/var/lib/web /var/lib/webs" in found
    assert "WorkingDirectory=-/var/lib/web" in found


def test_each_assignment_is_one_line() -> None:
    found = rehearsed("SystemCallFilter=@basic-io \\", "# a comment", "  @file-system")
    assert any(line.split() == ["SystemCallFilter=@basic-io", "@file-system"] for line in found)
