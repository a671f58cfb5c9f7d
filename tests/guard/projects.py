"""A project whose settings can be read, with all the files that they name."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from guard import paper

if TYPE_CHECKING:
    from guard.conftest import Ground

ROOT = Path(__file__).parents[2]
LAB = (ROOT / "fabric.yaml").read_text(encoding="utf-8")
LEAST = """\
deploy:
  apps:
    web:
      package: packages/web.*.zip
      command: web --port {port}
      ports: [5000]
      target_group: web
      longest_request_seconds: 5
  environments:
    lab:
      hosts: [web-1.example.com]
"""
MOST = """\
user: ec2-user
port: 22
timeouts: {}
connect_kwargs: {allow_agent: false, look_for_keys: false, compress: true, passphrase: x}
load_ssh_configs: true
run: {hide: null}
deploy:
  apps:
    web:
      package: packages/web.*.zip
      verify:
        sha256sums: packages/SHA256SUMS
      command: web --port {port} --name "a b"
      ports: [5000, 5001]
      target_groups: [web, web-internal]
      longest_request_seconds: 4.5
      prove_seconds: 5
      environment: {GREETING: hello, URL: "http://127.0.0.1:{port}/"}
      environment_file: /etc/web.env
      user: web
      drains_on_sigterm: true
      type: exec
      template: unit.j2
      sandbox: &sandbox {PrivateUsers: false, PrivateTmp: true}
      rehearse: start
      replaces: web-old.service
      health:
        path: /health?a=b
        expect: 200-299,301
        host: www.example.com
        timeout_seconds: 5
      executables: [web, tools/migrate]
      start_timeout_seconds: 60
      stop_timeout_seconds: 45
      healthy_timeout_seconds: 180
      max_unpacked_mb: 2048
      keep_releases: 5
    jobs:
      package: packages/web.*.zip
      target_group: none
      ports: []
      sandbox: {<<: *sandbox, NoNewPrivileges: true}
      health: {command: "./web --check", timeout_seconds: 3}
  environments:
    lab:
      from: more.yaml
      aws:
        region: eu-west-1
        profile: prod
        account: "123456789012"
        credentials_file: ~/.aws/credentials
        endpoint_url: https://api.example.com
      ssh:
        user: ec2-user
        port: 22
        key_files: [key]
        known_hosts: [known_hosts]
        address: private
        connect_timeout_seconds: 10
      hosts: {tags: {Environment: prod, Role: web}}
      apps:
        web: {target_groups: [web-prod], ports: [5000, 5001]}
        jobs: {keep_releases: 3}
      rollout:
        strategy: surge
        batch: [1, 25%, 50%]
        min_in_service: 75%
        drain: quiet
        soak_seconds: 0
        max_failures: 0
        on_failure: rollback
      propagation_seconds: 15
      ignore_peers: [10.0.9.0/24, 10.0.0.9]
      quiet_seconds: 5
      other_groups: refuse
      other_ports: [8081]
      foreign_targets: refuse
      auto_scaling: accept-replacement
      poll_seconds: 2
      lock_ttl_seconds: 30
"""
TEMPLATE = (ROOT / "templates/service.j2").read_text(encoding="utf-8")
ENVIRONMENT = "hosts: [web-1.example.com]\naws: {region: eu-west-1}\n"


def lay_out(ground: Ground, settings: str = "") -> None:
    """Put the files there that the settings above name, and these settings, if any."""
    ground.clear()
    if settings:
        (ground.project / "fabric.yaml").write_text(settings)
    packages = ground.project / "packages"
    packages.mkdir()
    with zipfile.ZipFile(packages / "web.1.2.3.zip", "w") as archive:
        archive.writestr("web", "#!/bin/sh\n")
        archive.writestr("tools/migrate", "#!/bin/sh\n")
    digest = hashlib.sha256((packages / "web.1.2.3.zip").read_bytes()).hexdigest()
    (packages / "SHA256SUMS").write_text(f"{digest}  web.1.2.3.zip\n")
    key = paper.HOST_KEY
    paper.lay_key(ground.project / "key")
    paper.lay_key(ground.home / ".ssh/id_ecdsa")
    (ground.project / "known_hosts").write_text("")
    (ground.home / ".ssh/known_hosts").write_text(f"* {key.get_name()} {key.get_base64()}\n")
    (ground.project / "unit.j2").write_text(TEMPLATE)
    (ground.project / ".lab").mkdir()
    (ground.project / ".lab/environment.yaml").write_text(ENVIRONMENT)
    (ground.project / "more.yaml").write_text("poll_seconds: 2\n")
