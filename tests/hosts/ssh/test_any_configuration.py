"""P8: whatever an ssh configuration holds, the outcome is an answer or one message."""

from __future__ import annotations

import os
import shutil
import string
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.errors import BadInput
from deploy.hosts.ssh import ssh_config
from deploy.hosts.ssh.openssh import answers, instance, lines, options, program, reader, tokens

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("web", "10.0.0.1", "Web-1.example")
WORDS = (
    *NAMES,
    *("*", "?eb", "!web", "none", "yes", "no", "any", "inet", "22", "0", "70000", "host", "user"),
    *("all", "final", "canonical", "!all", "!final", "localuser", "originalhost", "bogus"),
    *(
        "~/x",
        "%h",
        "%%",
        "%",
        "%z",
        "${HOME}",
        "${NO}",
        "$NO",
        '"a b"',
        '"',
        "'",
        "\\",
        "#",
        "=",
        ",",
    ),
    *(
        "a@b:33",
        "ssh://a@b:1",
        "[::1]:2",
        "a,b",
        "a,,b",
        "@",
        ":",
        "-x",
        "caf\u00e9",
        "\u202e",
        "\0",
    ),
    *("SSH_AUTH_SOCK", "Include", "nc %h %p", "one", "$(id)", "\udcff", "\ufeff"),
)
KEYWORDS = sorted(options.DECIDING | {"host", "match", "ignoreunknown", "forwardagent", "bogus"})

noise = st.text(alphabet=string.printable + "\u00e9\u202e\udcff\0", max_size=12)
REPEATS = "EXAMPLES" not in os.environ
value = st.lists(st.sampled_from(WORDS) | noise, max_size=4).map(" ".join)
line = st.tuples(
    st.sampled_from(["", " ", "\t"]),
    st.sampled_from(KEYWORDS),
    st.sampled_from([" ", "=", " = ", ""]),
    value,
).map("".join)
configuration = st.lists(line | noise, max_size=8).map("\n".join)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(made))
    return made


def outcome(text: str, folder: Path) -> Any:
    """The answers for all names, or the message."""
    # A command of `Match exec` and the files of `Include` would be the machine's own.
    text = text.replace("exec", "e").replace("include", "i").replace("Include", "i")
    file = folder / "config"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    lines._read.cache_clear()
    source = ssh_config.Source((str(file),))
    try:
        found = [answers.checked(reader.answer(name, source.files)) for name in NAMES]
        instance.merged(found[0], found[1], "web", lambda each: each.places)
        return [ssh_config.options(each) for each in found]
    except BadInput as error:
        return error


@settings(max_examples=200, derandomize=REPEATS, suppress_health_check=list(HealthCheck))
@given(text=configuration)
def test_any_configuration_is_read_or_refused_in_one_line(text: str, folder: Path) -> None:
    found = outcome(text, folder)
    if isinstance(found, BadInput):
        assert len(found.args) == 1
        assert "\n" not in str(found)
        return
    for each in found:
        for key in ("hostname", "user", "hostkeyalias", "proxyjump"):
            str(each.get(key, "")).encode()
        assert tokens.is_plain_host("x")


simple = st.tuples(
    st.sampled_from([*sorted(options.DECIDING - {"canonicalizehostname"}), "host", "match"]),
    st.lists(
        st.sampled_from([word for word in WORDS if word.isprintable() and "e" not in word]),
        min_size=1,
        max_size=3,
    ),
).map(lambda pair: f"{pair[0]} {' '.join(pair[1])}")


@pytest.mark.skipif(shutil.which("ssh") is None, reason="OpenSSH is not installed here")
@settings(max_examples=60, derandomize=REPEATS, suppress_health_check=list(HealthCheck))
@given(text=st.lists(simple, min_size=1, max_size=5).map("\n".join))
def test_our_reader_takes_and_finds_what_ssh_does(text: str, folder: Path) -> None:
    """The other way round it may be stricter: what it cannot judge, it refuses."""
    file = folder / "config"
    file.write_text(text)
    lines._read.cache_clear()
    for name in NAMES:
        try:
            own = reader.answer(name, [str(file)])
            ssh_config.options(answers.checked(own))
        except BadInput:
            continue
        asked = program.ask(name, str(file), "", None)
        assert asked is not None
        for option in ("hostname", "user", "port", "proxycommand", "identityfile"):
            default = {"user": (tokens.local_user(),), "port": ("22",)}.get(option, ())
            wanted = asked.values.get(option, ())
            if option == "identityfile" and len(wanted) > 5:
                wanted = ()
            if option == "hostname" and own.host.isdigit():
                continue  # ssh writes such an address out
            assert own.values.get(option, default) == wanted, (option, name)
