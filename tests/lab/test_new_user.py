"""A new user: an empty folder, a target group, and what the commands make of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lab import packages
from lab.load import Load
from lab.project import ROOT, group_arn, until

if TYPE_CHECKING:
    from pathlib import Path

    from lab.fleet import Lab
    from lab.project import Project

SECONDS = 240
DROP_IN = "[Service]\\nUser=web\\nLimitNOFILE=32768\\nEnvironment=REGION=eu\\n"
SSH = """Host 10.*
  User ec2-user
  IdentityFile {folder}/id_ed25519
"""
EDGE_PORT, RATE = 8080, 40
NGINX = f"""#!/usr/bin/python3
import asyncio
async def pipe(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
async def front(reader, writer):
    try:
        behind, to = await asyncio.open_connection("127.0.0.1", 5000)
    except OSError:
        writer.close()
        return
    await asyncio.gather(pipe(reader, to), pipe(behind, writer))
async def main():
    async with await asyncio.start_server(front, "", {EDGE_PORT}) as server:
        await server.serve_forever()
asyncio.run(main())
"""
NGINX_UNIT = "[Service]\\nExecStart=/opt/nginx/nginx\\n[Install]\\nWantedBy=multi-user.target\\n"
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
    for host in lab.hosts:  # as a packaged service may have it: a user of the service's own name
        lab.shell(host, "useradd -m -s /bin/sh web; mkdir /etc/systemd/system/legacy.service.d")
        lab.shell(host, f"printf '{DROP_IN}' > /etc/systemd/system/legacy.service.d/own.conf")
        lab.shell(host, "systemctl daemon-reload; systemctl restart legacy.service")
    until("all healthy", lambda: set(lab.health("web-lab").values()) == {"healthy"})
    user = NewUser(tmp_path, lab)
    made = user.types(
        *("init", "--target-group", "web-lab", "--env", "lab", "--region", "eu-west-1", "--yes")
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert "legacy.service serves on all of them" in made.stdout
    settings = (user.folder / "fabric.yaml").read_text()
    assert "replaces: legacy.service" in settings
    assert "user: web" in settings, "or each host would be refused: that user is not ours"
    assert 'limits: {LimitNOFILE: "32768"}' in settings
    assert "# environment: {REGION: …}" in settings
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
def test_p1_what_serves_behind_nginx_is_taken_over_and_nginx_is_not(
    tmp_path: Path, legacy: Project, lab: Lab
) -> None:
    """As Microsoft's guide for ASP.NET Core on Linux has it: the targets are nginx's, on its port.

    nginx is a program of this test that has its name, as the lab's hosts have no other.
    """
    del legacy
    elb, arn = lab.client("elbv2"), group_arn(lab, "web-lab")
    for host in lab.hosts:
        lab.shell(host, f"mkdir -p /opt/nginx; cat > /opt/nginx/nginx <<'THE-END'\n{NGINX}THE-END")
        lab.shell(host, f"printf '{NGINX_UNIT}' > /etc/systemd/system/nginx.service")
        lab.shell(host, "chmod 755 /opt/nginx/nginx; systemctl enable --now nginx.service")
        target = {"TargetGroupArn": arn}
        elb.register_targets(**target, Targets=[{"Id": host.instance_id, "Port": EDGE_PORT}])
        elb.deregister_targets(**target, Targets=[{"Id": host.instance_id, "Port": 5000}])
    edges = {f"{host.name}:{EDGE_PORT}": "healthy" for host in lab.hosts}
    until("healthy behind nginx", lambda: lab.health("web-lab").items() >= edges.items())
    user = NewUser(tmp_path, lab)
    with Load(lab.url("web"), rate=RATE) as load:
        made = user.types(
            *("init", "--target-group", "web-lab", "--env", "lab", "--region", "eu-west-1", "--yes")
        )
        assert "nginx listens on all of them, and passes requests on to port 5000" in made.stdout
        settings = (user.folder / "fabric.yaml").read_text()
        assert "ports: [5000]" in settings
        assert f"target_port: {EDGE_PORT}" in settings
        assert "replaces: legacy.service" in settings
        packages.build(user.folder / "packages", "web", "1.0.0")
        until("drained before it", lambda: lab.health("web-lab") == edges)
        deployed = user.types("deploy", "--env", "lab", "--yes")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    assert load.result.failed == 0, load.result.failures
    assert lab.shell(lab.hosts[0], "systemctl is-active nginx.service").strip() == "active"


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
