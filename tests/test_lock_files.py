"""The locks pin every file by its hash, agree with each other, and pip refuses any other file."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from audit import locks

ROOT = Path(__file__).parent.parent
HASHED = "--require-hashes --only-binary"


def pins(name: str) -> dict[str, str]:
    found = locks.requirements((ROOT / name).read_text())
    return dict(re.split(r"==| ", line)[:2] for line in found)


def wanted(name: str) -> set[str]:
    """The packages that a requirements.txt asks for, written as a lock writes them."""
    found = locks.requirements((ROOT / name).read_text())
    names = [re.match(r"[A-Za-z0-9._-]+", line) for line in found if not line.startswith("-")]
    return {re.sub(r"[._-]+", "-", match[0]).lower() for match in names if match}


def test_every_line_of_a_lock_has_a_hash_and_without_one_it_is_reported() -> None:
    (wall,) = locks.WALLS
    assert wall.attack().findings == ()
    assert len(wall.control().findings) == wall.control().tried


@pytest.mark.parametrize(
    "line",
    [
        "--index-url http://127.0.0.1/simple",
        "-e .",
        "boto3>=1",
        "boto3 @ file:///tmp/boto3.whl",
        f"boto3==1.44.5 --hash=md5:{'0' * 32}",
        f"boto3==1.44.5 --hash=sha256:{'0' * 63}",
        f"boto3==1.44.5 --hash=sha256:{'0' * 64} --no-binary=boto3",
    ],
)
def test_a_lock_with_an_option_an_address_or_a_weak_hash_is_reported(line: str) -> None:
    assert locks.findings("requirements.lock", f"{line}\n")


@pytest.mark.parametrize("name", locks.LOCKS)
def test_a_lock_has_all_that_its_requirements_ask_for(name: str) -> None:
    assert wanted(name.replace(".lock", ".txt")) <= set(pins(name))


def test_the_checks_run_with_the_versions_that_users_install() -> None:
    developers = pins("requirements-dev.lock")
    assert {name: developers.get(name) for name in pins("requirements.lock")} == pins(
        "requirements.lock"
    )


def test_every_install_of_a_lock_demands_hashes_and_builds_nothing() -> None:
    """Only wheels: what builds a source archive is pinned by no lock, and would run."""
    for name in ("Makefile", "docs/ci.md"):
        text = (ROOT / name).read_text().replace("\\\n", " ")
        installs = re.findall(r"(?m)^.*pip install.*\.lock.*$", text)
        assert installs, name
        for install in installs:
            assert HASHED in " ".join(install.split()), install
    assert '"--require-hashes"' in (ROOT / "bench/peers/ansible.py").read_text()


def test_pip_takes_the_file_with_the_right_hash_and_refuses_it_for_one_digit(
    tmp_path: Path,
) -> None:
    wheel = tmp_path / "sample-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        about = "Metadata-Version: 2.1\nName: sample\nVersion: 1.0\n"
        archive.writestr("sample-1.0.dist-info/METADATA", about)
        kind = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr("sample-1.0.dist-info/WHEEL", kind)
        archive.writestr("sample-1.0.dist-info/RECORD", "")
    right = hashlib.sha256(wheel.read_bytes()).hexdigest()
    wrong = right[:-1] + ("0" if right[-1] != "0" else "1")
    ended = {}
    for digest in (right, wrong):
        lock = tmp_path / "requirements.lock"
        lock.write_text(f"sample==1.0 --hash=sha256:{digest}\n")
        words = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-index"]
        words += ["--require-hashes", "--only-binary", ":all:", "--find-links", str(tmp_path)]
        ended[digest] = subprocess.run(
            [*words, "--dest", str(tmp_path / "out"), "--requirement", str(lock)],
            env=os.environ | {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended[right].returncode == 0, ended[right].stderr
    assert ended[wrong].returncode != 0
    assert "DO NOT MATCH THE HASHES" in ended[wrong].stderr
