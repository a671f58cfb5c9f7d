"""A new user: an empty folder, a target group, and what the commands make of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lab import packages
from lab.project import ROOT, group_arn

if TYPE_CHECKING:
    from pathlib import Path

    from lab.fleet import Lab
    from lab.project import Project

SECONDS = 240
SSH = """Host 10.*
  User ec2-user
  IdentityFile {folder}/id_ed25519
"""
PROGRAM = "import sys; sys.argv[0] = 'changeover'; from changeover import main; main()"


class NewUser:
    """Somebody whose home has an ssh configuration, and whose folder is empty."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        self.folder, home = folder / "new", folder / "home"
        self.folder.mkdir()
        (home / ".ssh").mkdir(parents=True)
        (home / ".ssh" / "config").write_text(SSH.format(folder=lab.folder))
        kept = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
        self._environ = kept | {
            "HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "AWS_ENDPOINT_URL": lab.api,
            "AWS_ACCESS_KEY_ID": "lab",
            "AWS_SECRET_ACCESS_KEY": "lab",
        }

    def types(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Type `changeover …` in the folder, without a terminal."""
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, *words],
            cwd=self.folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )


@pytest.mark.long(70)
@pytest.mark.hosts(2)
def test_from_an_empty_folder_to_a_deploy_that_takes_over_what_runs(
    tmp_path: Path, legacy: Project, lab: Lab
) -> None:
    del legacy
    user = NewUser(tmp_path, lab)
    made = user.types(
        *("init", "--target-group", "web-lab", "--env", "lab", "--region", "eu-west-1", "--yes")
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert "legacy.service serves on all of them" in made.stdout
    settings = (user.folder / "fabric.yaml").read_text()
    assert "replaces: legacy.service" in settings
    known = (user.folder / "known_hosts").read_text().splitlines()
    assert sorted(known) == sorted((lab.folder / "known_hosts").read_text().splitlines()[:2])
    policy = json.loads((user.folder / "iam-policy.json").read_text())
    assert policy["Statement"][1]["Resource"] == group_arn(lab, "web-lab")

    empty = user.types("check", "--env", "lab")
    assert empty.returncode == 2
    assert "packages/web.*.zip" in empty.stdout, "there is no package yet"

    packages.build(user.folder / "packages", "web", "1.0.0")
    before = lab.health("web-lab")
    checked = user.types("check", "--env", "lab")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "  problem" not in checked.stdout
    for said in ("systemd accepts web@5000.service on 2 hosts", "passes GET :5000/health gives"):
        assert said in checked.stdout, checked.stdout
    planned = user.types("deploy", "--env", "lab", "--dry-run")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert "legacy.service" in planned.stdout
    assert lab.health("web-lab") == before, "nothing was registered or deregistered"
    deployed = user.types("deploy", "--env", "lab", "--yes")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr

    again = user.types("init", "--target-group", "web-lab", "--env", "lab", "--yes")
    assert again.returncode == 2
    assert (user.folder / "fabric.yaml").read_text() == settings


@pytest.mark.hosts(2)
def test_p12_what_is_wrong_with_one_host_is_named_beside_all_that_is_well(
    tmp_path: Path, legacy: Project, lab: Lab
) -> None:
    del legacy
    user = NewUser(tmp_path, lab)
    user.types(
        "init", "--target-group", "web-lab", "--env", "lab", "--region", "eu-west-1", "--yes"
    )
    packages.build(user.folder / "packages", "web", "1.0.0")
    lab.knobs(denied=["DeregisterTargets"])
    lab.shell(lab.hosts[0], "mv /etc/sudoers.d /etc/sudoers.d.away")
    try:
        checked = user.types("check", "--env", "lab", "--json")
    finally:
        lab.shell(lab.hosts[0], "mv /etc/sudoers.d.away /etc/sudoers.d")
    assert checked.returncode == 2
    body = json.loads(checked.stdout)
    problems = [each["text"] for each in body["findings"] if each["level"] == "problem"]
    assert any("DeregisterTargets on web-lab" in text for text in problems), problems
    assert any("sudo without a password" in text for text in problems), problems
    assert any(each["text"].startswith("1 host with a known host key") for each in body["findings"])
