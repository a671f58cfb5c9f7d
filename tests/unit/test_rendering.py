"""A slot's unit says what the settings say, in systemd's own quoting; what it cannot is refused."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.errors import BadInput
from deploy.unit import sandbox, syntax
from deploy.unit.lint import lint
from deploy.unit.rendering import (
    DEFAULT_TEMPLATE,
    RenderedUnit,
    for_rehearsal,
    for_verification,
    render,
)
from deploy.unit.spec import UnitSpec
from deploy.unit.syntax import quote

NAMESPACES = {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"}
WEB = UnitSpec(
    app="web",
    port=5000,
    release="1.2.3-0123456789ab",
    description="web on port 5000",
    command=("web", "--port", "5000"),
    executable_in_package=True,
    user="www",
    group="www-data",
    type="exec",
    environment=(),
    environment_file=None,
    stop_timeout_seconds=45,
    start_timeout_seconds=90,
    restart_seconds=2.0,
)


def unit(version: int = 252, **changes: Any) -> RenderedUnit:
    return render(None, replace(WEB, **changes), version)


def lines(version: int = 252, **changes: Any) -> list[str]:
    return unit(version, **changes).text.splitlines()


def test_the_unit_is_what_a_host_should_run() -> None:
    text = unit().text
    head, service = text.split("[Service]")
    assert unit().name == "web@5000.service"
    assert "StartLimitIntervalSec=0" in head
    for line in (
        "Type=exec",
        "User=www",
        "Group=www-data",
        "BindReadOnlyPaths=/srv/web/slots/5000:/srv/web/current",
        "WorkingDirectory=/srv/web/current",
        "ExecStart=/srv/web/current/web --port 5000",
        "Environment=HOME=/var/lib/web",
        "Environment=PORT=5000",
        'Environment="ASPNETCORE_URLS=http://[::]:5000"',
        "Environment=CHANGEOVER_RELEASE=1.2.3-0123456789ab",
        f"Environment=CHANGEOVER_UNIT={unit().digest}",
        "StateDirectory=web",
        "Restart=always",
        "RestartSec=2",
        "KillSignal=SIGTERM",
        "KillMode=mixed",
        "TimeoutStartSec=90",
        "TimeoutStopSec=45",
        "SuccessExitStatus=143",
        "SyslogIdentifier=web",
        "CapabilityBoundingSet=",
        "WantedBy=multi-user.target",
    ):
        assert line in service.splitlines()
    assert "MemoryDenyWriteExecute=" not in text
    assert not re.search(r"^(Ambient|EnvironmentFile|LimitNOFILE)", text, re.MULTILINE)
    assert text.endswith("target\n")


@pytest.mark.parametrize(
    ("version", "there", "absent"),
    [
        (241, ["Type=exec"], ["RestrictSUIDSGID=yes", "ProtectKernelLogs=yes"]),
        (243, ["RestrictSUIDSGID=yes"], ["ProtectKernelLogs=yes"]),
        (257, ["Type=exec", "RestrictSUIDSGID=yes", "ProtectKernelLogs=yes"], []),
    ],
)
def test_the_unit_fits_the_hosts_systemd(version: int, there: list[str], absent: list[str]) -> None:
    rendered = lines(version)
    assert [line for line in there if line not in rendered] == []
    assert [line for line in absent if line in rendered] == []


@pytest.mark.parametrize(
    ("version", "kind", "hides"),
    [
        (246, "exec", False),
        (247, "exec", True),
        (247, "notify", False),
        (252, "notify", True),
    ],
)
def test_other_processes_are_hidden_where_use_systemd_still_works(
    version: int, kind: str, hides: bool
) -> None:
    assert ("ProtectProc=invisible" in lines(version, type=kind)) is hides


@pytest.mark.parametrize(("user", "removes"), [("web", True), ("www-data", False)])
def test_only_an_own_users_ipc_is_removed(user: str, removes: bool) -> None:
    assert ("RemoveIPC=yes" in lines(user=user)) is removes


def test_limits_are_lines_of_the_service_and_without_them_nothing_changes(tmp_path: Path) -> None:
    plain, raised = unit(), unit(limits=(("LimitNOFILE", "65536"), ("LimitNPROC", "512")))
    added = ["LimitNOFILE=65536", "LimitNPROC=512"]
    assert [line for line in plain.text.splitlines() if line.startswith("Limit")] == ["LimitCORE=0"]
    assert raised.digest != plain.digest
    assert [
        line.replace(raised.digest, plain.digest)
        for line in raised.text.splitlines()
        if line not in added
    ] == plain.text.splitlines()
    service = dict(syntax.assignments(raised.text, "Service"))
    assert (service["LimitNOFILE"], service["LimitNPROC"]) == ("65536", "512")
    own = tmp_path / "own.j2"
    text = DEFAULT_TEMPLATE.read_text()
    own.write_text(text.replace("{{ limit }}", ""))
    assert render(own, WEB, 252).text
    with pytest.raises(BadInput, match="leaves out LimitNOFILE=65536, which the setting `limits:`"):
        render(own, replace(WEB, limits=(("LimitNOFILE", "65536"),)), 252)


@pytest.mark.parametrize("name", sorted(sandbox.REMOVABLE))
def test_each_directive_of_the_sandbox_can_be_left_out(name: str) -> None:
    def names(rendered: list[str]) -> list[str]:
        return [line.partition("=")[0] for line in rendered]

    whole, without = unit(user="web"), unit(user="web", removed=(name,))
    plain = whole.text.splitlines()
    assert name in names(plain)
    assert [line for line in plain if not line.startswith(f"{name}=")] == [
        line.replace(without.digest, whole.digest) for line in without.text.splitlines()
    ]
    assert whole.digest != without.digest


def test_what_can_be_left_out_is_all_of_the_sandbox_but_what_the_proof_needs() -> None:
    text = (Path(__file__).parents[2] / "templates" / "service.j2").read_text()
    names = {line.partition("=")[0] for line in text[text.index("# The sandbox") :].splitlines()}
    ours = {name for name in names if re.fullmatch("[A-Za-z]+", name)}
    assert ours - sandbox.REMOVABLE == {"RestrictNamespaces", "AmbientCapabilities", "WantedBy"}


@pytest.mark.parametrize("kind", ["exec", "notify", "simple"])
def test_the_type_is_the_settings(kind: str) -> None:
    assert f"Type={kind}" in lines(type=kind)


@pytest.mark.parametrize(("port", "may_bind"), [(80, True), (1023, True), (1024, False)])
def test_only_a_low_port_gets_the_capability_to_bind_it(port: int, may_bind: bool) -> None:
    assert ("AmbientCapabilities=CAP_NET_BIND_SERVICE" in lines(port=port)) is may_bind


@pytest.mark.parametrize(
    ("command", "in_package", "line"),
    [
        (("./web",), True, "/srv/web/current/web"),
        (("bin/my web", "a b"), True, '"/srv/web/current/bin/my web" "a b"'),
        (("/usr/bin/dotnet", "App.dll"), False, "/usr/bin/dotnet App.dll"),
        (("dotnet", "App.dll"), False, "dotnet App.dll"),
        (("web", "$HOME", "100%", ";"), True, '/srv/web/current/web "$$HOME" 100%% ";"'),
    ],
)
def test_commands(command: tuple[str, ...], in_package: bool, line: str) -> None:
    found = lines(command=command, executable_in_package=in_package)
    assert f"ExecStart={line}" in found


def test_every_address_is_written_as_a_uri_that_the_host_can_listen_on() -> None:
    """`http://*` is none: a service that reads the variable as a URI ends without a word."""
    assert 'Environment="ASPNETCORE_URLS=http://[::]:5000"' in lines()
    assert "Environment=ASPNETCORE_URLS=http://0.0.0.0:5000" in lines(has_ipv6=False)


def test_settings_win_over_what_the_slot_sets() -> None:
    rendered = lines(
        environment=(("PORT", "1"), ("ASPNETCORE_URLS", "http://[::]:1"), ("A__B", 'x "y" 5%')),
        environment_file="/etc/100%.env",
    )
    found = [line for line in rendered if line.startswith("Environment")]
    assert found[:5] == [
        "Environment=HOME=/var/lib/web",
        "Environment=PORT=1",
        'Environment="ASPNETCORE_URLS=http://[::]:1"',
        'Environment="A__B=x \\"y\\" 5%%"',
        "EnvironmentFile=/etc/100%%.env",
    ]
    assert "Description=100%% new" in lines(description="100% new")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"environment": (("A", "b\nc"),)}, "the value of A holds a newline"),
        ({"environment": (("A", "b\0"),)}, "the value of A holds"),
        ({"environment": (("A:B", "c"),)}, "'A:B' is no name of a variable"),
        ({"environment": (("CHANGEOVER_UNIT", "x"),)}, "CHANGEOVER_UNIT is set by the deploy"),
        ({"environment_file": "web.env"}, "environment_file: 'web.env' must be an absolute path"),
        ({"environment_file": "/etc/web\n.env"}, "must be one line"),
        ({"description": "two\nlines"}, "description: 'two\\nlines' must be one line"),
        ({"description": "goes on \\"}, "without a backslash at its end"),
        ({"command": ()}, "command: it is empty"),
        ({"command": ("web", "a\0b")}, "NUL"),
        ({"command": ("we$b",)}, "'$' in its name"),
        ({"command": ("bin/web",), "executable_in_package": False}, "neither an absolute path"),
        ({"command": ("-web",), "executable_in_package": False}, "neither an absolute path"),
        ({"app": "we b"}, "app 'we b'"),
        ({"user": "a\nb"}, "user: "),
        ({"user": "a\x7fb"}, "user: "),
        ({"environment": (("A", "b\x9b"),)}, "the value of A holds"),
        ({"environment": (("A", "b\ud83d"),)}, "the value of A holds"),
        ({"type": "forking"}, "type: 'forking' must be one of exec, notify, simple"),
    ],
)
def test_what_systemd_cannot_say_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput) as refusal:
        unit(**changes)
    assert said in str(refusal.value)


def test_the_digest_tells_every_change_and_nothing_else() -> None:
    assert unit().digest == unit().digest
    assert re.fullmatch("[0-9a-f]{64}", unit().digest)
    others: list[dict[str, Any]] = [
        {"command": ("web", "--port", "5000", "-v")},
        {"environment": (("A", "b"),)},
        {"stop_timeout_seconds": 46},
        {"release": "1.2.4-0123456789ab"},
        {"user": "other"},
    ]
    assert len({unit().digest, *(unit(**other).digest for other in others)}) == 1 + len(others)


def test_verification_sees_the_staged_release() -> None:
    staged = "/srv/web/releases/1.2.3-0123456789ab"
    spec = replace(WEB, command=("web", "/srv/web/currently", "/srv/web/current/x"))
    text = for_verification(render(None, spec, 252), staged)
    assert f"ExecStart={staged}/web /srv/web/currently {staged}/x" in text
    assert f"WorkingDirectory={staged}\n" in text


MOUNT = "BindReadOnlyPaths={{ slot }}:{{ current }}"
CLOSED = "RestrictNamespaces=yes"
DIGEST = "Environment=CHANGEOVER_UNIT={{ digest }}"
OURS = f"{MOUNT}\n{CLOSED}\n{DIGEST}\n"


def template(folder: Path, text: str) -> Path:
    path = folder / "mine.j2"
    path.write_text(text)
    return path


def test_an_old_systemd_is_not_asked_for_a_program_on_the_path() -> None:
    bare = unit(command=("node", "app.js"), executable_in_package=False)
    assert "\nExecStart=-node app.js\n" in for_verification(bare, "/x", 247)
    assert "\nExecStart=node app.js\n" in for_verification(bare, "/x", 252)
    own = for_verification(unit(), "/x", 247)
    assert "\nExecStart=/x/web --port 5000\n" in own


def test_a_rehearsal_of_the_default_unit_runs_nothing_of_the_release() -> None:
    staged = "/srv/web/releases/1.0.0-a"
    checked = for_rehearsal(unit(user="web"), staged)
    assert "\nExecStart=/bin/sh -s -- /srv/web/current/web\nStandardInput=data\n" in checked
    tried = for_rehearsal(unit(user="web"), staged, checks_program=False)
    assert "\nExecStart=/bin/true\n" in tried
    assert "/srv/web/slots" not in tried
    assert "BindReadOnlyPaths=/srv/web/releases/1.0.0-a:/srv/web/current\n" in tried
    names = {line.partition("=")[0] for line in tried.splitlines()}
    assert names > sandbox.REMOVABLE - {"RemoveIPC"} | {"RestrictNamespaces", "User", "Group"}
    assert not names & {"StateDirectory", "Restart", "Environment", "RemoveIPC"}


TEXT = """\
A=1
[Service]
 A = 2\x20
# A=3
;A=4
B=one \\
# a comment \\
  two \\
three
C=\\\\
D
[Other]
A=5
[Service]
A=
E=x\u2028A=6
"""


def test_a_unit_file_is_read_as_systemd_reads_it() -> None:
    assert syntax.assignments(TEXT, "Service") == (
        ("A", "2"),
        ("B", "one    two  three"),
        ("C", "\\\\"),
        ("A", ""),
        ("E", "x\u2028A=6"),
    )
    assert "".join(line.text for line in syntax.lines(TEXT)) == TEXT
    left = syntax.without(TEXT, "Service", {"A", "B"})
    assert syntax.assignments(left, "Service") == (("C", "\\\\"), ("E", "x\u2028A=6"))
    assert syntax.assignments(left, "Other") == (("A", "5"),)


@given(st.text(st.sampled_from("aA=[]#;\\ \t\n\r\u2028é"), max_size=60))
def test_reading_loses_nothing_of_a_file(text: str) -> None:
    assert "".join(line.text for line in syntax.lines(text)) == text


def test_a_users_template_replaces_ours(tmp_path: Path) -> None:
    mine = template(tmp_path, f"[Service]\nExecStart={{{{ command }}}}\n{OURS}")
    rendered = render(mine, WEB, 252)
    assert rendered.text == (
        "[Service]\nExecStart=/srv/web/current/web --port 5000\n"
        "BindReadOnlyPaths=/srv/web/slots/5000:/srv/web/current\n"
        "RestrictNamespaces=yes\n"
        f"Environment=CHANGEOVER_UNIT={rendered.digest}\n"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[Service]\nExecStart={{ comand }}\n", ["mine.j2:2:", "comand", "did you mean command?"]),
        ("[Service]\n\n{{ zzzz }}", ["mine.j2:3:", "zzzz", "known are app, command"]),
        ("[Service]\n{% if %}\n", ["mine.j2:2:"]),
        ("[Service]\n{{ 'a' + 1 }}\n", ["mine.j2:2:"]),
        ("[Service]\n{{ 1 / 0 }}\n", ["mine.j2:2:", "division"]),
        ("{% include 'absent.j2' %}", ["mine.j2", "absent.j2"]),
        ("[Service]\nExecStart=/x\n", ["add these lines", MOUNT, CLOSED, DIGEST]),
        (f"{OURS}[Service]\n", ["its [Service] section lacks"]),
        (f"[Service]\n{MOUNT}\n{CLOSED}\n", ["add this line", "={{ digest }}"]),
        (f"[Service]\n{CLOSED}\n{DIGEST}\n", ["add this line", MOUNT]),
        (f"[Service]\n{MOUNT}\n{DIGEST}\n", ["add this line", CLOSED]),
        (f"[Service]\n# {OURS.replace(chr(10), chr(10) + '# ')}\n", ["add these lines", MOUNT]),
        (f"[Service]\n{OURS}BindReadOnlyPaths=\n", ["add this line", MOUNT]),
        (f"[Service]\n{OURS}RestrictNamespaces=\n", ["add this line", CLOSED]),
        (f"[Service]\n{OURS}RestrictNamespaces=no\n", ["add this line", CLOSED]),
        (f"[Service]\n{OURS}RestrictNamespaces=user\n", ["add this line", CLOSED]),
        (f"[Service]\n{MOUNT}2\n{CLOSED}\n{DIGEST}\n", ["add this line", MOUNT]),
    ],
)
def test_a_users_template_is_checked(tmp_path: Path, text: str, said: list[str]) -> None:
    with pytest.raises(BadInput) as refusal:
        render(template(tmp_path, text), WEB, 252)
    assert [words for words in said if words not in str(refusal.value)] == []


@pytest.mark.parametrize(
    ("values", "allowed"),
    [
        (["yes"], set()),
        (["1"], set()),
        (["TRUE"], set()),
        (["no"], NAMESPACES),
        ([], NAMESPACES),
        ([""], NAMESPACES),
        (["yes", ""], NAMESPACES),
        (["no", "yes"], set()),
        (["yes", "no"], NAMESPACES),
        (["~user mnt"], NAMESPACES - {"user", "mnt"}),
        (["~user", "~mnt"], NAMESPACES - {"user", "mnt"}),
        (["net", "user"], {"net", "user"}),
        (["net user", "~user"], {"net"}),
        (["yes", "user"], {"user"}),
        (["yes", "nonsense"], set()),
        (["nonsense"], NAMESPACES),
        (["~"], NAMESPACES),
    ],
)
def test_namespaces_are_read_as_systemd_reads_them(values: list[str], allowed: set[str]) -> None:
    assert sandbox.allowed_namespaces(values) == allowed


@pytest.mark.parametrize("kind", ["~user mnt", "net ipc", "~user\nRestrictNamespaces=~mnt"])
def test_a_template_may_allow_other_namespaces(tmp_path: Path, kind: str) -> None:
    lines = OURS.replace("=yes", f"={kind}")
    assert render(template(tmp_path, f"[Service]\n{lines}"), WEB, 252).digest


def test_a_template_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"absent\.j2: it cannot be read"):
        render(tmp_path / "absent.j2", WEB, 252)
    (tmp_path / "bytes.j2").write_bytes(b"\xff")
    with pytest.raises(BadInput, match=r"bytes\.j2"):
        render(tmp_path / "bytes.j2", WEB, 252)


@pytest.mark.parametrize(
    ("text", "warnings"),
    [
        ("[Service]\nRestart=always\nTimeoutStopSec=90\n", []),
        ("[Service]\nRestart=always\nTimeoutStopSec=1min 30s\n", []),
        ("[Service]\nRestart=always\nTimeoutStopSec=infinity\n", []),
        ("[Service]\nRestart=always\nKillSignal=SIGINT\n", ["KillSignal=SIGINT"]),
        ("[Service]\nRestart=always\nMemoryDenyWriteExecute=yes\n", ["MemoryDenyWriteExecute"]),
        ("[Service]\nRestart=always\nTimeoutStopSec=10\n", ["TimeoutStopSec=10"]),
        ("[Service]\nRestart=on-failure\n", ["Restart=always"]),
        ("[Unit]\nRestart=always\n[Service]\n", ["Restart=always"]),
    ],
)
def test_lint_warns_of_what_loses_requests(text: str, warnings: list[str]) -> None:
    found = lint(text, longest_request_seconds=30)
    assert len(found) == len(warnings)
    assert all(said.startswith(start) for said, start in zip(found, warnings, strict=True))


def test_our_own_template_has_nothing_to_warn_of() -> None:
    assert lint(unit().text, longest_request_seconds=45) == ()


def read_by_systemd(line: str) -> list[str]:
    """Words of a line as systemd reads it: quotes, C escapes, then specifiers.

    Written from its manual; the same words went through systemd 252 and 257 unchanged.
    """
    words = re.findall(r'"(?:[^"\\]|\\.)*"|[^\s"]+', line)
    assert " ".join(words) == line
    bare = [word[1:-1] if word.startswith('"') else word for word in words]
    unescaped = [
        re.sub(
            r"\\(x[0-9a-f]{2}|.)",
            lambda m: chr(int(m[1][1:], 16)) if m[1][0] == "x" else m[1],
            word,
        )
        for word in bare
    ]
    assert not [word for word in unescaped if re.search("%(?!%)", word.replace("%%", ""))]
    return [word.replace("%%", "%") for word in unescaped]


PLAIN = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
HARD = st.text(st.sampled_from("ab \"'\\%$;#{}\n\t"), max_size=12)


@given(st.lists(PLAIN | HARD, max_size=4))
def test_quoted_words_read_back_unchanged(words: list[str]) -> None:
    line = " ".join(quote(word) for word in words)
    assert "\n" not in line
    assert read_by_systemd(line) == words


def test_arguments_are_doubled_against_expansion() -> None:
    rendered = unit(command=("web", "$A", "${B}", "$$")).text
    line = rendered.split("ExecStart=")[1].splitlines()[0]
    assert read_by_systemd(line)[1:] == ["$$A", "$${B}", "$$$$"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("misspelt", [False, True])
def test_systemd_itself_finds_nothing_wrong(tmp_path: Path, misspelt: bool) -> None:
    staged = tmp_path / "staged"
    staged.mkdir()
    (staged / "web").write_text("#!/bin/sh\n")
    (staged / "web").chmod(0o755)
    hard = unit(
        command=("web", "a b", '{"a": "\\n"}', "100%", "$HOME", ";"),
        environment=(("JSON", '{"a": "b\\\\c"}'), ("PERCENT", "100%h")),
        environment_file="/etc/absent.env",
    )
    text = for_verification(hard, str(staged))
    path = tmp_path / hard.name
    path.write_text(text.replace("KillMode", "KilMode") if misspelt else text)
    done = subprocess.run(
        ["systemd-analyze", "verify", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    said = [line for line in done.stderr.splitlines() if hard.name in line]
    assert done.returncode == 0
    assert len(said) == int(misspelt)
