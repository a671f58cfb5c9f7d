"""P7: an instance found by tags is connected to at its own address, whatever its Name tag is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders
import pytest

from deploy.aws.inventory import Host
from deploy.errors import BadInput
from deploy.hosts.ssh import connect as ssh
from deploy.hosts.ssh import ssh_config
from deploy.hosts.ssh.openssh import instance, reader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deploy.hosts.ssh.connection import Connection

WEB = Host("web-1", "10.0.0.1", "i-00000000000000001", private_address="10.0.0.1")
TAGGED = builders.environment(hosts={"tags": {"Role": "web"}})


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Connection]:
    """Connect, not yet open, to a tagged instance under an ssh configuration."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(ssh_config, "FILES", ("~/.ssh/config",))
    (tmp_path / ".ssh").mkdir()

    def connect(text: str, name: str = "web-1", **settings: Any) -> Connection:
        (tmp_path / ".ssh" / "config").write_text(text)
        own = TAGGED.model_copy(update=settings)
        return ssh.connection_to(replace(WEB, name=name), own)

    return connect


@pytest.mark.parametrize(
    "text",
    [
        "Host web-1\n    HostName 10.9.9.9\n",
        "Host web-*\n    HostName 10.9.9.9\n",
        "Host *\n    HostName 10.9.9.9\n",
        "Host 10.0.0.*\n    HostName 10.9.9.9\n",
        "Match originalhost web-1\n    HostName 10.9.9.9\n",
        "Match host web-1\n    HostName other.invalid\n",
        "Host web-1\n    User x\nHost *\n    HostName other.invalid\n",
    ],
)
def test_m10_an_alias_that_leads_elsewhere_is_refused_by_name(
    configured: Callable[..., Connection], text: str
) -> None:
    with pytest.raises(BadInput) as refused:
        configured(text)
    said = str(refused.value)
    assert said.startswith("web-1 (10.0.0.1): ~/.ssh/config:")
    assert "sets HostName 10.9.9.9, which" in said or "sets HostName other.invalid, which" in said
    assert "not the address that EC2 gives for this instance; set it to 10.0.0.1" in said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Host web-1\n    HostName 10.0.0.1\n",
        "Host web-1\n    HostName %h\n",
        "Host *\n    HostName %h\n",
        "Host web-1\n    HostName own.example.com\n",  # a name of the same address
        "Host web-*\n    HostName %h.example.com\n",
        # The first of two counts.
        "Host web-1\n    HostName 10.0.0.1\nHost *\n    HostName other.invalid\n",
        "Host web-2\n    HostName 10.9.9.9\n",
        "Host * !web-1\n    HostName 10.9.9.9\n",
        "Host * !web-*\n    HostName 10.9.9.9\n",
    ],
)
def test_an_instance_is_connected_to_at_its_own_address(
    configured: Callable[..., Connection], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"own.example.com", "web-1.example.com"}
    monkeypatch.setattr(instance, "_addresses", lambda n: {"10.0.0.1"} if n in known else set())
    assert configured(text).host == "10.0.0.1"


def test_a_block_for_the_name_gives_user_port_proxy_and_keys_alone(
    configured: Callable[..., Connection],
) -> None:
    made = configured(
        "Host web-1\n    User admin\n    Port 2222\n    ProxyJump jump\n"
        "    IdentityFile /keys/one\n    ForwardAgent yes\n    ConnectTimeout 99\n"
        "Host 10.0.0.*\n    User other\n    IdentityFile /keys/two\n"
        "Host jump\n    HostName 192.0.2.1\n    User hop\n"
    )
    assert (made.host, made.user, made.port) == ("10.0.0.1", "admin", 2222)
    assert made.connect_kwargs["auth_strategy"].configured == ("/keys/one", "/keys/two")
    assert (made.gateway.host, made.gateway.user) == ("192.0.2.1", "hop")
    assert not made.forward_agent
    assert "connecttimeout" not in made.ssh_config


def test_no_proxy_for_the_name_counts_if_it_is_written_first(
    configured: Callable[..., Connection],
) -> None:
    first = "Host web-1\n  ProxyJump none\n"
    rest = "Host *\n  ProxyJump bastion\nHost bastion\n  HostName 192.0.2.1\n"
    assert configured(first + rest).gateway is None
    assert configured(rest + first).gateway.host == "192.0.2.1"


def test_blocks_for_the_address_apply_as_usual(configured: Callable[..., Connection]) -> None:
    made = configured("Host 10.0.0.*\n    User admin\n    ProxyCommand nc %h %p\n", "Shop, prod")
    assert (made.host, made.user, made.gateway) == ("10.0.0.1", "admin", "nc %h %p")


def test_the_settings_user_and_port_go_before(configured: Callable[..., Connection]) -> None:
    own = builders.environment(ssh={"user": "deploy", "port": 22}).ssh
    made = configured("Host web-1\n    User admin\n    Port 2222\n", ssh=own)
    assert (made.user, made.port) == ("deploy", 22)


@pytest.mark.parametrize("name", ["$(id)", "`id`", "a; id", "-oProxyCommand=id", "x\nid", "%n"])
def test_a_name_tag_never_reaches_a_shell(
    configured: Callable[..., Connection], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(reader, "answer", _noting(asked, reader.answer))
    made = configured("Match exec \"test '%h' = 10.0.0.1\"\n  ProxyCommand nc %h %p\n", name)
    assert made.gateway == "nc %h %p"
    assert set(asked) == {"10.0.0.1"}


def _noting(asked: list[str], answer: Callable[..., Any]) -> Callable[..., Any]:
    def note(name: str, *arguments: Any) -> Any:
        asked.append(name)
        return answer(name, *arguments)

    return note


@pytest.mark.parametrize(
    "name", ["-oProxyCommand=id", "a b", "a;id", "$(id)", "root@web", "web:22"]
)
def test_a_listed_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="is no host name or address"):
        ssh.resolve(builders.environment(hosts=(name,)), name)


def test_a_listed_name_is_connected_to_as_ssh_would(
    configured: Callable[..., Connection],
) -> None:
    made = configured("Host web-1\n    HostName 10.9.9.9\n", hosts=("web-1",))
    assert made.host == "10.9.9.9"


def test_fabrics_own_file_takes_the_place_of_the_users(
    configured: Callable[..., Connection], tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("Host web-1\n    HostName 10.9.9.9\n")
    with pytest.raises(BadInput, match=r"/mine:2: `Host web-1` sets HostName 10\.9\.9\.9"):
        configured("", fabric={"ssh_config_path": str(tmp_path / "mine")})
    assert configured("Host web-1\n    HostName 10.9.9.9\n", fabric={"load_ssh_configs": False})
