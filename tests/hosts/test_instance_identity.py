"""P7: a host that shows another instance's id than EC2 gives for its address is refused."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import builders
import pytest

from deploy.errors import BadInput
from deploy.hosts import instance_identity
from deploy.hosts.scripts.script import text_of

if TYPE_CHECKING:
    from pathlib import Path

HOST = builders.host(1)
OTHER = "i-0abc0abc0abc0abc0"
DMI, CLOUD = instance_identity.SOURCES.values()


@pytest.fixture(autouse=True)
def _no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2"):
        monkeypatch.delenv(name, raising=False)


def asked(root: Path, files: dict[str, bytes]) -> str:
    """What the script prints on a machine with these files."""
    for path, content in files.items():
        (root / path[1:]).parent.mkdir(parents=True)
        (root / path[1:]).write_bytes(content)
    words = ["sh", "-c", text_of(instance_identity.question(str(root)))]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


SAME = HOST.instance_id.encode()


@pytest.mark.parametrize(
    ("files", "is_refused"),
    [
        ({}, False),
        ({DMI: SAME + b"\n"}, False),
        ({CLOUD: SAME + b"\n"}, False),
        ({DMI: OTHER.encode()}, True),
        ({CLOUD: OTHER.encode() + b"\n"}, True),
        ({DMI: SAME, CLOUD: OTHER.encode()}, False),  # cloud-init's may be a copied disk's
        ({DMI: b"Not Specified\n", CLOUD: OTHER.encode()}, True),
        ({DMI: b"i-12345678"}, True),  # the short form of old instances
        ({DMI: b"i-1234567"}, False),
        ({DMI: b"iid-local01\n", CLOUD: b"nocloud\n"}, False),
        ({DMI: b"i-" + b"0" * 40}, False),
        ({DMI: b"\xff\x00\x1b]0;x\x07\ninstance_dmi=" + OTHER.encode().hex().encode()}, False),
    ],
)
def test_a_well_formed_id_that_differs_is_refused(
    tmp_path: Path, files: dict[str, bytes], *, is_refused: bool
) -> None:
    output = f"init=systemd\n{asked(tmp_path, files)}"
    if not is_refused:
        instance_identity.refuse_other(HOST, output, None)
        return
    with pytest.raises(BadInput) as refused:
        instance_identity.refuse_other(HOST, output, None)
    assert str(refused.value).startswith("host-1 (10.0.0.1): the machine there is instance i-")
    assert f"EC2 gives {HOST.instance_id} for that address" in str(refused.value)


def test_another_api_than_awss_is_not_compared_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = asked(tmp_path, {DMI: OTHER.encode()})
    instance_identity.refuse_other(HOST, output, "http://127.0.0.1:5000")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:5000")
    instance_identity.refuse_other(HOST, output, None)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    with pytest.raises(BadInput):
        instance_identity.refuse_other(HOST, output, None)


def test_a_machine_that_ec2_gives_no_instance_for_is_named_by_the_id_that_it_shows(
    tmp_path: Path,
) -> None:
    output = asked(tmp_path, {DMI: OTHER.encode()})
    with pytest.raises(BadInput, match=rf"host-1 \(10.0.0.1\): the machine there is .* {OTHER}, w"):
        instance_identity.refuse_other(replace(HOST, instance_id=""), output, None)


@pytest.mark.parametrize(
    "text", ["instance_dmi=zz", "instance_dmi", "instance_dmi=\u00b2\x00", "="]
)
def test_garbage_is_no_id(text: str) -> None:
    instance_identity.refuse_other(HOST, text, None)
