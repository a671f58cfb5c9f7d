"""Bad input stops at the door: each wrong setting gets `file:line: env: key: problem; remedy`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.errors import BadInput
from deploy.session import arguments
from deploy.settings import endpoint, load
from deploy.settings.environment import Environment
from deploy.settings.rollout import Batch

if TYPE_CHECKING:
    from pathlib import Path

FILE = """\
deploy:
  apps:
    web:
      package: packages/web.*.zip
      ports: [5000]
      target_group: web-lab
      longest_request_seconds: 4
  environments:
    lab:
      hosts: [one, two]
      rollout:
        batch: 1
"""
SIZE = "no batch size; write a count (2) or a percentage (25%)"
PORT = "must be a port, a whole number from 1 to 65535, not"


def loaded(folder: Path, text: str, environment: str = "lab") -> Environment:
    file = folder / "fabric.yaml"
    file.write_text(text)
    return load.load(file, environment)


def with_key(key: str) -> tuple[str, str]:
    """A change that puts a key of the app's on line 5."""
    return "      ports:", f"      {key}\n      ports:"


def in_environment(key: str) -> tuple[str, str]:
    """A change that puts a key of the environment's on line 10."""
    return "      hosts:", f"      {key}\n      hosts:"


BAD: dict[str, tuple[tuple[str, str], str]] = {
    "run_once without a program": (
        with_key('run_once: ""'),
        "5: lab: apps.web.run_once: is empty; leave it out, or name the program",
    ),
    "run_once with a quote open": (
        with_key("run_once: ./migrate 'all"),
        '5: lab: apps.web.run_once: "./migrate \'all": No closing quotation; close the quote',
    ),
    "run_once in shell": (
        with_key("run_once: ./migrate && ./seed"),
        "5: lab: apps.web.run_once: holds &&, which only a shell understands",
    ),
    "run_once beside a trial start": (
        with_key("run_once: ./migrate\n      rehearse: start"),
        "6: lab: apps.web.rehearse: must not be `start` beside run_once",
    ),
    "no time for run_once": (
        with_key("run_once_timeout_seconds: 0"),
        "5: lab: apps.web.run_once_timeout_seconds: must be",
    ),
    "port 0": (("[5000]", "[0]"), f"5: lab: apps.web.ports.0: {PORT} 0"),
    "port too high": (("[5000]", "[70000]"), f"5: lab: apps.web.ports.0: {PORT} 70000"),
    "port in quotes": (("[5000]", '["5000"]'), f"5: lab: apps.web.ports.0: {PORT} '5000'"),
    "port a word": (("[5000]", "[http]"), f"5: lab: apps.web.ports.0: {PORT} 'http'"),
    "port a truth": (("[5000]", "[true]"), f"5: lab: apps.web.ports.0: {PORT} True"),
    "port no list": (("[5000]", "5000"), "5: lab: apps.web.ports: must be a list such as [a, b]"),
    "no ports": (("[5000]", "[]"), "5: lab: apps.web.ports: is empty"),
    "three ports": (
        ("[5000]", "[5000, 5001, 5002]"),
        "5: lab: apps.web.ports: one port is needed, or two",
    ),
    "the same port twice": (
        ("[5000]", "[5000, 5000]"),
        "5: lab: apps.web.ports: port 5000 stands there twice; two slots need two ports",
    ),
    "window and batch": (
        ("batch: 1", "batch: 1\n        window: 2"),
        "11: lab: rollout: window and batch exclude each other; keep one of the two",
    ),
    "window 0": (("batch: 1", "window: 0"), "12: lab: rollout.window: must be greater"),
    "a proxy before two slots": (
        ("ports: [5000]", "ports: [5000, 5001]\n      target_port: 80"),
        "10: lab: apps: app web has one target_port for both of its slots; give it one port",
    ),
    "an app on the port of another's proxy": (
        (
            "    web:\n      package: packages/web.*.zip\n",
            "    two: {package: a.*.zip, ports: [80], target_group: x}\n"
            "    web:\n      package: packages/web.*.zip\n      target_port: 80\n",
        ),
        "11: lab: apps: apps two and web share port 80",
    ),
    "a worker with a port": (
        ("target_group: web-lab", "target_group: none"),
        "5: lab: apps.web.ports: must be [] for a worker (`target_group: none`), which has no port",
    ),
    "a worker behind a proxy": (
        (
            "ports: [5000]\n      target_group: web-lab",
            "ports: []\n      target_group: none\n      target_port: 80",
        ),
        "7: lab: apps.web.target_port: has no meaning for a worker",
    ),
    "a worker's command with a port": (
        (
            "ports: [5000]\n      target_group: web-lab",
            'ports: []\n      target_group: none\n      command: "jobs --port {port}"',
        ),
        "7: lab: apps.web.command: holds {port}, and a worker (`target_group: none`) has none",
    ),
    "a variable in a command": (
        with_key('command: "web --port $PORT"'),
        "5: lab: apps.web.command: holds $PORT, which no shell replaces",
    ),
    "a variable in braces": (
        with_key('command: "web --host ${HOST_NAME:-x}"'),
        "5: lab: apps.web.command: holds ${HOST_NAME:-x}, which no shell replaces",
    ),
    "an unknown placeholder": (
        with_key('command: "web --port {Port}"'),
        "5: lab: apps.web.command: holds {Port}, which nothing replaces; only {port} is known",
    ),
    "a variable of a shell in small letters": (
        with_key('command: "web --listen :$port"'),
        "5: lab: apps.web.command: holds $port, which no shell replaces: the program would be",
    ),
    "a variable of Windows": (
        with_key('command: "web --port %PORT%"'),
        "5: lab: apps.web.command: holds %PORT%, which no shell replaces",
    ),
    "two commands": (
        with_key("command: './migrate && ./web'"),
        "5: lab: apps.web.command: holds &&, which only a shell understands",
    ),
    "a pipe": (
        with_key("command: './web | logger'"),
        "5: lab: apps.web.command: holds |, which only a shell understands",
    ),
    "a file to write to": (
        with_key("command: './web > /var/log/web.log'"),
        "5: lab: apps.web.command: holds >, which only a shell understands",
    ),
    "an error stream": (
        with_key("command: 'sh run.sh 2>&1'"),
        "5: lab: apps.web.command: holds 2>&1, which only a shell understands",
    ),
    "a command in the background": (
        with_key("command: './web &'"),
        "5: lab: apps.web.command: holds &, which only a shell understands",
    ),
    "two commands by a semicolon": (
        with_key("command: './migrate --all; ./web'"),
        "5: lab: apps.web.command: holds ;, which only a shell understands",
    ),
    "a command's output": (
        with_key("command: './web --name $(hostname)'"),
        "5: lab: apps.web.command: holds $(, which only a shell understands",
    ),
    "a variable before a command": (
        with_key("command: 'A=b ./web'"),
        "5: lab: apps.web.command: begins with A=, which only a shell understands; write",
    ),
    "a home folder": (
        with_key("command: '~/app/web --port {port}'"),
        "5: lab: apps.web.command: holds ~/app/web, which no shell replaces",
    ),
    "a placeholder of templates": (
        with_key("command: 'web --port {{ port }}'"),
        "5: lab: apps.web.command: holds {{ port }}, which nothing replaces; write {port}",
    ),
    "an expression of a CI system": (
        with_key("command: 'web --port ${{ env.PORT }}'"),
        "5: lab: apps.web.command: holds ${{ env.PORT }}, which nothing replaces; write {port}",
    ),
    "a variable of Octopus": (
        with_key("command: 'web --name #{Octopus.Environment.Name}'"),
        "5: lab: apps.web.command: holds #{Octopus.Environment.Name}, which nothing replaces; "
        "write its value",
    ),
    "a path of Windows": (
        with_key("command: '.\\web.exe --port {port}'"),
        "5: lab: apps.web.command: begins with a path as Windows writes it; write slashes",
    ),
    "a variable in a check command": (
        (
            "ports: [5000]\n      target_group: web-lab",
            "ports: []\n      target_group: none\n      health: {command: check $QUEUE}",
        ),
        "7: lab: apps.web.health.command: holds $QUEUE, which no shell replaces",
    ),
    "a worker that is asked over HTTP": (
        (
            "ports: [5000]\n      target_group: web-lab",
            "ports: []\n      target_group: none\n      health: {path: /health}",
        ),
        "7: lab: apps.web.health: of a worker has `command` and `timeout_seconds` alone",
    ),
    "a check command of no worker": (
        with_key("health: {command: ./check}"),
        "5: lab: apps.web.health: has a `command`, which is for workers",
    ),
    "a check command with an open quote": (
        with_key('health: {command: "./check \'a"}'),
        '5: lab: apps.web.health.command: "./check \'a": No closing quotation; close the quote',
    ),
    "a check command without a program": (
        with_key("health: {command: \"''\"}"),
        "5: lab: apps.web.health.command: is empty; leave it out, or name the program",
    ),
    "a check command of several lines": (
        with_key('health: {command: "a\\nb"}'),
        "5: lab: apps.web.health.command: must not hold a control character",
    ),
    "an empty check command": (
        with_key('health: {command: " "}'),
        "5: lab: apps.web.health.command: is empty; leave it out, or name the program",
    ),
    "surge in one slot": (
        ("batch: 1", "strategy: surge"),
        "9: lab: apps: strategy surge: app web has one port and needs two, such as `ports: [5000, ",
    ),
    "batch 0": (("batch: 1", "batch: 0"), "12: lab: rollout.batch: a batch of 0 deploys nothing"),
    "batch 0%": (("batch: 1", "batch: 0%"), "12: lab: rollout.batch: a batch of 0% deploys noth"),
    "batch 101%": (
        ("batch: 1", "batch: 101%"),
        "12: lab: rollout.batch: 101% is more than the whole fleet; at most 100% is possible",
    ),
    "batch negative": (
        ("batch: 1", "batch: -1"),
        "12: lab: rollout.batch: a batch of -1 deploys nothing; at least 1 is needed",
    ),
    "batch a negative share": (
        ("batch: 1", "batch: -5%"),
        "12: lab: rollout.batch: a batch of -5% deploys nothing; at least 1 is needed",
    ),
    "batch broken": (("batch: 1", "batch: 1.5"), f"12: lab: rollout.batch: 1.5 is {SIZE}"),
    "batch a truth": (("batch: 1", "batch: true"), f"12: lab: rollout.batch: True is {SIZE}"),
    "batch a word": (("batch: 1", "batch: all"), f"12: lab: rollout.batch: 'all' is {SIZE}"),
    "batch empty": (("batch: 1", "batch:"), f"12: lab: rollout.batch: None is {SIZE}"),
    "empty ramp": (
        ("batch: 1", "batch: []"),
        "12: lab: rollout.batch: a ramp needs at least one batch size, such as [1, 25%]",
    ),
    "ramp with a 0": (("batch: 1", "batch: [1, 0]"), "12: lab: rollout.batch: a batch of 0 depl"),
    "unknown key of an environment": (
        ("rollout:", "rolout:"),
        "11: lab: rolout: unknown key; did you mean 'rollout'?",
    ),
    "unknown key of an app": (
        with_key("executible: [x]"),
        "5: lab: apps.web.executible: unknown key; did you mean 'executables'?",
    ),
    "unknown key of the rollout": (
        ("batch: 1", "bach: 1"),
        "12: lab: rollout.bach: unknown key; did you mean 'batch'?",
    ),
    "unknown key of health": (
        with_key("health: {pth: /x}"),
        "5: lab: apps.web.health.pth: unknown key; did you mean 'path'?",
    ),
    "unknown key of aws": (
        in_environment("aws: {regoin: x}"),
        "10: lab: aws.regoin: unknown key; did you mean 'region'?",
    ),
    "unknown key like nothing": (in_environment("zzz: 1"), "10: lab: zzz: unknown key"),
    "unknown key of deploy": (
        ("  environments:", "  enviroments:"),
        "8: deploy.enviroments: unknown; did you mean 'environments'?",
    ),
    "a key that the file cannot give": (
        in_environment("root: /"),
        "10: lab: root: unknown key",
    ),
    "an app's second name": (with_key("name: x"), "5: lab: apps.web.name: unknown key"),
    "duplicate key": (
        ("      ports: [5000]", "      ports: [5000]\n      ports: [5001]"),
        '6: found duplicate key "ports"; keep one of the two',
    ),
    "seconds a word": (
        ("seconds: 4", "seconds: soon"),
        "7: lab: apps.web.longest_request_seconds: must be a number, not 'soon'",
    ),
    "seconds negative": (
        ("seconds: 4", "seconds: -4"),
        "7: lab: apps.web.longest_request_seconds: must be greater than or equal to 0, not -4",
    ),
    "seconds not whole": (
        with_key("start_timeout_seconds: 1.5"),
        "5: lab: apps.web.start_timeout_seconds: must be a whole number, not 1.5",
    ),
    "a variable that is a number": (
        with_key("environment: {A: 1}"),
        "5: lab: apps.web.environment.A: must be text: put it in quotes, as it is written there",
    ),
    "a variable that is a truth": (
        with_key("environment: {A: true}"),
        "5: lab: apps.web.environment.A: must be text: put it in quotes, as it is written there",
    ),
    "a variable that is no decimal number": (
        with_key("environment: {A: 0123}"),
        "5: lab: apps.web.environment.A: must be text: put it in quotes, as it is written there",
    ),
    "a variable that is a date": (
        with_key("environment: {A: 2026-11-28}"),
        "5: lab: apps.web.environment.A: must be text: put it in quotes, as it is written there",
    ),
    "an empty variable": (
        with_key("environment: {A: }"),
        "5: lab: apps.web.environment.A: must be text, not empty",
    ),
    "several groups under the key for one": (
        ("target_group: web-lab", "target_group: [web-public, web-internal]"),
        "6: lab: apps.web.target_group: is one name or ARN; several stand under target_groups",
    ),
    "the words of a command in a list": (
        with_key("command: [dotnet, My App.dll]"),
        "5: lab: apps.web.command: must be one line: dotnet 'My App.dll'",
    ),
    "variables as a list": (
        with_key("environment: [A=1]"),
        "5: lab: apps.web.environment: must be a mapping of keys to values",
    ),
    "no package": (
        ("      package: packages/web.*.zip\n", ""),
        "3: lab: apps.web.package: is missing",
    ),
    "no target group": (
        ("      target_group: web-lab\n", ""),
        "3: lab: apps.web.target_group: is missing",
    ),
    "two keys for target groups": (
        with_key("target_groups: [public, internal]"),
        "7: lab: apps.web.target_group: stands beside target_groups; use one of the two keys",
    ),
    "a target group twice": (
        ("target_group: web-lab", "target_groups: [public, internal, public]"),
        "6: lab: apps.web.target_groups: 'public' stands there twice",
    ),
    "a peer that is a name": (
        in_environment("ignore_peers: [10.0.0.0/24, prometheus]"),
        "10: lab: ignore_peers: 'prometheus' is no address and no network such as 10.0.0.9",
    ),
    "no hosts": (("      hosts: [one, two]\n", ""), "9: lab: hosts: is missing"),
    "an empty list of hosts": (("[one, two]", "[]"), "10: lab: hosts: is empty"),
    "hosts as a word": (
        ("[one, two]", "one"),
        "10: lab: hosts: must be a list of host names or instance ids, or `tags:` that EC2 "
        "instances carry",
    ),
    "a host that is a number": (
        ("[one, two]", "[one, 2]"),
        "10: lab: hosts.1: must be text: put it in quotes, as it is written there",
    ),
    "no tags": (
        ("[one, two]", "{tags: {}}"),
        "10: lab: hosts.tags: at least one tag is needed, or every instance would be deployed to",
    ),
    "misspelt tags": (
        ("[one, two]", "{tags: {A: b}, tgs: {}}"),
        "10: lab: hosts.tgs: unknown key; did you mean 'tags'?",
    ),
    "an app's name": (
        ("    web:", "    Web_1:"),
        "3: lab: apps.Web_1.name: must be lower-case letters, digits and dashes",
    ),
    "strategy": (("batch: 1", "strategy: fast"), "12: lab: rollout.strategy: must be 'rolling'"),
    "drain": (("batch: 1", "drain: never"), "12: lab: rollout.drain: must be 'wait' or 'quiet'"),
    "rollout a number": (
        ("rollout:\n        batch: 1", "rollout: 3"),
        "11: lab: rollout: must be a mapping of keys to values, not 3",
    ),
    "unit type": (
        with_key("type: forking"),
        "5: lab: apps.web.type: must be 'exec', 'notify' or 'simple', not 'forking'",
    ),
    "health path": (
        with_key("health: {path: health}"),
        "5: lab: apps.web.health.path: must be a URL's path such as /health",
    ),
    "expect a number": (
        with_key("health: {expect: 200}"),
        "5: lab: apps.web.health.expect: must be text: put it in quotes, as it is written there",
    ),
    "expect no code": (
        with_key('health: {expect: "20x"}'),
        "5: lab: apps.web.health.expect: matcher '20x': '20x' is no status code; write codes",
    ),
    "environment file": (
        with_key("environment_file: etc/web"),
        "5: lab: apps.web.environment_file: must be an absolute path on the host",
    ),
    "replaces": (
        with_key("replaces: web"),
        "5: lab: apps.web.replaces: must be a unit's name such as web.service, not 'web'",
    ),
    "user": (with_key("user: a b"), "5: lab: apps.web.user: must be lower-case letters, digits"),
    "auto scaling": (
        in_environment("auto_scaling: maybe"),
        "10: lab: auto_scaling: must be 'refuse', 'ignore' or 'accept-replacement', not 'maybe'",
    ),
    "poll 0": (
        in_environment("poll_seconds: 0"),
        "10: lab: poll_seconds: must be greater than or equal to 0.05, not 0",
    ),
    "key files no list": (
        in_environment("ssh: {key_files: a}"),
        "10: lab: ssh.key_files: must be a list such as [a, b], not 'a'",
    ),
    "aws a word": (
        in_environment("aws: eu-west-1"),
        "10: lab: aws: must be a mapping of keys to values, not 'eu-west-1'",
    ),
    "unknown app": (
        in_environment("apps: {wbe: {}}"),
        "10: lab: apps: unknown app 'wbe'; did you mean 'web'?",
    ),
    "apps as a list": (
        in_environment("apps: [web]"),
        "10: lab: apps: must be a mapping of names to settings",
    ),
    "apps empty": (in_environment("apps: {}"), "10: lab: apps: is empty"),
    "an app that is a number": (
        in_environment("apps: {web: 3}"),
        "10: lab: apps.web: must be a mapping of keys to values",
    ),
    "the base's apps as a list": (
        ("  apps:\n    web:", "  apps:\n    - web:"),
        "2: apps: must be a mapping of keys to values",
    ),
    "an environment that is a number": (
        ("lab:\n      hosts: [one, two]\n      rollout:\n        batch: 1", "lab: 3"),
        "9: lab: must be a mapping of keys to values",
    ),
    "two apps on one port": (
        (
            "  environments:",
            "    two: {package: a.*.zip, ports: [5000], target_group: x}\n  environments:",
        ),
        "10: lab: apps: apps web and two share port 5000",
    ),
    "two apps in one group": (
        (
            "  environments:",
            "    two: {package: a.*.zip, ports: [1], target_group: web-lab}\n  environments:",
        ),
        "10: lab: apps: apps web and two share target group 'web-lab'",
    ),
    "a directive that is unknown": (
        with_key("sandbox: {PrivateUser: false}"),
        "5: lab: apps.web.sandbox.PrivateUser: 'PrivateUser' is no directive of the sandbox; did "
        "you mean 'PrivateUsers'?",
    ),
    "a directive that is needed": (
        with_key("sandbox: {RestrictNamespaces: false}"),
        "5: lab: apps.web.sandbox.RestrictNamespaces: RestrictNamespaces cannot be left out: a ",
    ),
    "a directive with a value of its own": (
        with_key("sandbox: {ProtectSystem: strict}"),
        "5: lab: apps.web.sandbox.ProtectSystem: must be true or false, not 'strict'",
    ),
    "an unknown limit": (
        with_key("limits: {LimitNOFILES: 65536}"),
        "5: lab: apps.web.limits.LimitNOFILES: 'LimitNOFILES' is no limit that can be set; did "
        "you mean 'LimitNOFILE'?",
    ),
    "a limit without its prefix": (
        with_key("limits: {NOFILE: 65536}"),
        "5: lab: apps.web.limits.NOFILE: 'NOFILE' is no limit that can be set",
    ),
    "a limit of the sandbox": (
        with_key("limits: {LimitCORE: infinity}"),
        "5: lab: apps.web.limits.LimitCORE: LimitCORE is part of the sandbox; write",
    ),
    "a limit below none": (
        with_key("limits: {LimitNOFILE: -1}"),
        "5: lab: apps.web.limits.LimitNOFILE: must be a number such as 65536 or 64K, a soft",
    ),
    "a limit a truth": (
        with_key("limits: {LimitNOFILE: true}"),
        "5: lab: apps.web.limits.LimitNOFILE: must be a number such as 65536 or 64K, a soft",
    ),
    "a limit that is another line": (
        with_key('limits: {LimitNOFILE: "1\\nUser=root"}'),
        "5: lab: apps.web.limits.LimitNOFILE: must be a number such as 65536 or 64K, a soft",
    ),
    "the sandbox a truth": (
        with_key("sandbox: false"),
        "5: lab: apps.web.sandbox: must be a mapping of keys to values, not False",
    ),
    "an environment file with ..": (
        with_key("environment_file: /etc/../root/web.env"),
        "5: lab: apps.web.environment_file: must be a direct path, without '.' and '..'",
    ),
    "a relative environment file": (
        with_key("environment_file: web.env"),
        "5: lab: apps.web.environment_file: must be an absolute path on the host",
    ),
    "a NUL in a path": (
        with_key(r'environment_file: "/etc/web\0.env"'),
        r"5: lab: apps.web.environment_file: must not hold a control character, as '/etc/web\x00",
    ),
    "an escape in a path": (
        with_key(r'template: "a\e[31m.j2"'),
        "5: lab: apps.web.template: must not hold a control character",
    ),
    "a line break in a target group": (
        ("web-lab", r'"web\nlab"'),
        "6: lab: apps.web.target_group: must not hold a control character",
    ),
    "a delete in a list": (
        with_key(r'executables: [a, "b\x7f"]'),
        "5: lab: apps.web.executables: must not hold a control character",
    ),
    "a control character in a host": (
        ("[one, two]", r'[one, "tw\eo"]'),
        "10: lab: hosts: must not hold a control character",
    ),
    "a control character in a tag": (
        ("hosts: [one, two]", r'hosts: {tags: {Role: "a\u009bb"}}'),
        "10: lab: hosts.tags: must not hold a control character",
    ),
    "an option in place of a unit": (
        with_key("replaces: --all.service"),
        "5: lab: apps.web.replaces: must be a unit's name such as web.service",
    ),
    "half a surrogate pair": (
        with_key(r'environment: {UNI: "\ud83d"}'),
        r"5: '\ud83d' holds half of a surrogate pair; write the character itself",
    ),
    "halves in the wrong order": (
        with_key(r'template: "\ude80\ud83d"'),
        r"5: '\ude80\ud83d' holds half of a surrogate pair",
    ),
    "half a surrogate pair in a key": (
        with_key(r'environment: {"\ud83d": a}'),
        r"5: '\ud83d' holds half of a surrogate pair",
    ),
    "an endpoint in clear text": (
        in_environment('aws: {endpoint_url: "http://api.example.com"}'),
        "10: lab: aws.endpoint_url: 'http://api.example.com' would send credentials in clear text",
    ),
    "the lab is not running": (
        in_environment("from: .lab/environment.yaml"),
        "10: lab: from: .lab/environment.yaml does not exist; the lab is not running: "
        "start it with `inv lab.up`",
    ),
    "from a number": (in_environment("from: 3"), "10: lab: from: must be the path of a YAML file"),
    "no YAML": (("[one, two]", "[one, two"), "11: no valid YAML: "),
    "a tab": (
        ("      hosts:", "\thosts:"),
        "10: no valid YAML: found character '\\t' that cannot start any token; indent with spaces",
    ),
    **{
        f"a line indented with U+{ord(space):04X}": (
            ("      hosts:", f"    {space * 2}hosts:"),
            f"10: is indented with U+{ord(space):04X}, which only looks like a space; indent with",
        )
        for space in "\xa0\u2002\u200b\u3000"
    },
    **{
        f"a command with a {name}": (
            with_key(f"command: '{command}'"),
            f"5: lab: apps.web.command: holds {code}, as word processors and web pages have it",
        )
        for name, command, code in (
            ("dash", "./web \u2013port 80", "U+2013 (en dash)"),
            ("dash after a hyphen", "./web -\u2013port 80", "U+2013 (en dash)"),
            ("no-break space", "./web\xa0--port 80", "U+00A0 (no-break space)"),
            ("quote", "./web --name=\u201ca b\u201d", "U+201C (left double quotation mark)"),
            ("space of no width", "./web\u200b", "U+200B (zero width space)"),
        )
    },
    "another document": (
        ("      hosts: [one, two]\n", "      hosts: [one, two]\n---\nother: 1\n"),
        "11: a second document begins here; keep one in the file",
    ),
    "two merges": (
        ("      hosts:", "      <<: &a {}\n      <<: *a\n      hosts:"),
        '11: found duplicate merge key "<<"; merge several as <<: [*a, *b]',
    ),
    **{
        f"a key that is {key}": (
            with_key(f"environment: {{{key}: x}}"),
            "5: a key must be text: put it in quotes, as it stands there",
        )
        for key in ("null", "true", "0123", "1.10", "2026-11-30", "[a]", "{a: b}")
    },
    "a date that is none": (
        with_key("environment: {RELEASED: 2026-13-01}"),
        "5: no valid YAML: 2026-13-01 is no timestamp; put it in quotes if it is meant as text",
    ),
    "a number that is none": (
        with_key("environment: {N: !!int x}"),
        "5: no valid YAML: x is no int; put it in quotes if it is meant as text",
    ),
    "a tag": (
        ("      hosts: [one, two]", "      hosts: !vault [one, two]"),
        "10: the tag !vault has no meaning here; write the value itself",
    ),
}


@pytest.mark.parametrize(("change", "expected"), BAD.values(), ids=BAD)
def test_bad_input_is_told_with_file_line_environment_and_key(
    change: tuple[str, str], expected: str, tmp_path: Path
) -> None:
    old, new = change
    assert old in FILE
    with pytest.raises(BadInput) as refused:
        loaded(tmp_path, FILE.replace(old, new, 1))
    assert str(refused.value).startswith(f"fabric.yaml:{expected}") or (
        f"\nfabric.yaml:{expected}" in str(refused.value)
    )
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    "command",
    [
        'web --title "Caf\u00e9 \u2013 \u201cmenu\u201d\xa0!"',
        "web --range 1\u20132",
        "web --name caf\u00e9",
        "sh -c 'exec ./web \u2013x'",
    ],
)
def test_control_typeset_text_may_stand_in_quotes_and_within_words(
    command: str, tmp_path: Path
) -> None:
    key = with_key(f"command: {json.dumps(command)}")
    assert loaded(tmp_path, FILE.replace(*key)).apps[0].command == command


@pytest.mark.parametrize("key", ["key_files", "known_hosts", "user"])
@pytest.mark.parametrize("form", ["[{}]", "{}"])
def test_a_private_key_in_place_of_its_files_path_is_in_no_message(
    key: str, form: str, tmp_path: Path
) -> None:
    """As CI systems put a secret in; a job's log is read by many."""
    begin, end = (f"-----{word} OPENSSH PRIVATE KEY-----" for word in ("BEGIN", "END"))
    for line_break in ("\\n", "\\\\n", " "):
        text = form.format(f'"{line_break.join((begin, "b3BlbnNzaC1rZXk", end))}"')
        with pytest.raises(BadInput, match="holds a private key itself") as refused:
            loaded(tmp_path, FILE.replace(*in_environment(f"ssh: {{{key}: {text}}}")))
        assert "b3Bl" not in str(refused.value)


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-16", "fabric.yaml:1: the file is UTF-16, as Windows PowerShell writes it; save it"),
        ("latin-1", "fabric.yaml:14: the file is not UTF-8; save it as UTF-8"),
    ],
)
def test_a_file_in_another_encoding_is_refused_with_its_line(
    encoding: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "fabric.yaml").write_bytes(f"{FILE}# one\n# caf\u00e9\n".encode(encoding))
    with pytest.raises(BadInput) as refused:
        load.load(tmp_path / "fabric.yaml", "lab")
    assert str(refused.value).startswith(said)


def test_a_value_that_yaml_is_told_to_read_as_text_is_text(tmp_path: Path) -> None:
    old, new = with_key("environment: {A: !!str 0123, B: !!str true}")
    assert loaded(tmp_path, FILE.replace(old, new, 1)).apps[0].environment == {
        "A": "0123",
        "B": "true",
    }


def test_all_findings_are_told_at_once(tmp_path: Path) -> None:
    text = FILE.replace("[5000]", "[0]").replace("batch: 1", "batch: 0")
    with pytest.raises(BadInput) as refused:
        loaded(tmp_path, text)
    assert len(str(refused.value).splitlines()) == 2


def test_keys_that_are_unknown_hide_no_wrong_value(tmp_path: Path) -> None:
    text = FILE.replace("[5000]", "[0]").replace("deploy:", "deploy:\n  extra: 1")
    text = text.replace("      hosts:", "      name: lab\n      hosts:")
    with pytest.raises(BadInput) as refused:
        loaded(tmp_path, text)
    assert str(refused.value).splitlines() == [
        "fabric.yaml:2: deploy.extra: unknown",
        "fabric.yaml:11: lab: name: unknown key",
        f"fabric.yaml:6: lab: apps.web.ports.0: {PORT} 0",
    ]


def test_all_unknown_apps_of_an_environment_are_named(tmp_path: Path) -> None:
    text = f"{FILE}      apps: {{wbe: {{}}, zzz: {{}}, web: {{}}}}\n"
    with pytest.raises(BadInput) as refused:
        loaded(tmp_path, text)
    assert [line.partition("apps: ")[2] for line in str(refused.value).splitlines()] == [
        "unknown app 'wbe'; did you mean 'web'?",
        "unknown app 'zzz'; known: web",
    ]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ("lba", "fabric.yaml:8: no environment 'lba'; did you mean 'lab'?"),
        ("prod", "fabric.yaml:8: no environment 'prod'; known: lab"),
    ],
)
def test_an_unknown_environment_names_the_nearest_or_all(
    environment: str, expected: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput) as refused:
        loaded(tmp_path, FILE, environment)
    assert str(refused.value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "fabric.yaml:1: deploy: is missing; it holds `apps:` and `environments:`"),
        ("user: x\n", "fabric.yaml:1: deploy: is missing"),
        ("deploy:\n  apps: {}\n", "fabric.yaml:1: no environment 'lab'; known: none"),
        ("- 1\n", "fabric.yaml:1: must be a mapping of keys to values"),
    ],
)
def test_a_file_that_holds_no_settings_is_refused(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        loaded(tmp_path, text)
    assert expected in str(refused.value)


def test_a_missing_or_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.yaml does not exist"):
        load.load(tmp_path / "none.yaml", "lab")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(BadInput, match=r"binary\.yaml:1: the file is UTF-16"):
        load.load(tmp_path / "binary.yaml", "lab")
    with pytest.raises(BadInput, match="cannot be read"):
        load.load(tmp_path, "lab")


def test_an_environments_apps_are_merged_over_the_base(tmp_path: Path) -> None:
    text = FILE.replace("[5000]", "[5000]\n      environment: {A: a, B: b}") + (
        "      apps: {web: {target_group: other, environment: {B: c}}}\n"
    )
    web = loaded(tmp_path, text).apps[0]
    assert (web.target_group, web.environment) == ("other", {"A": "a", "B": "c"})


def test_an_environments_target_groups_take_the_place_of_the_bases(tmp_path: Path) -> None:
    several = FILE.replace(
        "      hosts: [", "      apps: {web: {target_groups: [a, b]}}\n      hosts: ["
    )
    assert loaded(tmp_path, several).apps[0].group_names == ("a", "b")
    one = several.replace("target_group: web-lab", "target_groups: [c, d]")
    one = one.replace("{target_groups: [a, b]}", "{target_group: e}")
    assert loaded(tmp_path, one).apps[0].group_names == ("e",)


def test_an_environment_without_apps_has_all_of_them(tmp_path: Path) -> None:
    other = "    two: {package: a.*.zip, ports: [1], target_group: x}\n  environments:"
    text = FILE.replace("  environments:", other)
    assert [app.name for app in loaded(tmp_path, text).apps] == ["web", "two"]
    text += "      apps: {two: }\n"
    assert [app.name for app in loaded(tmp_path, text).apps] == ["two"]


def test_an_included_file_is_under_the_environments_own_keys(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text("poll_seconds: 0.25\naws: {region: r, profile: p}\n")
    text = FILE.replace("hosts:", "from: fleet.yaml\n      aws: {profile: mine}\n      hosts:")
    environment = loaded(tmp_path, text)
    assert environment.poll_seconds == 0.25
    assert (environment.aws.region, environment.aws.profile) == ("r", "mine")


def test_an_error_in_an_included_file_names_that_file(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text("\npoll_seconds: soon\n")
    with pytest.raises(BadInput) as refused:
        loaded(tmp_path, FILE.replace("hosts:", "from: fleet.yaml\n      hosts:"))
    assert str(refused.value) == "fleet.yaml:2: lab: poll_seconds: must be a number, not 'soon'"


def test_fabrics_own_keys_are_kept_for_fabric_and_paths_start_at_the_file(tmp_path: Path) -> None:
    environment = loaded(tmp_path, "user: me\nconnect_kwargs: {compress: true}\n" + FILE)
    assert environment.fabric == {"user": "me", "connect_kwargs": {"compress": True}}
    assert environment.path("keys/one") == tmp_path.resolve() / "keys/one"
    assert environment.path("/etc/key").as_posix() == "/etc/key"


def test_a_stop_is_given_longer_than_the_longest_request(tmp_path: Path) -> None:
    web = loaded(tmp_path, FILE).apps[0]
    assert web.stop_seconds > web.longest_request_seconds
    (slot,) = web.slots
    assert (slot.unit_name, web.service_user, slot.port) == ("web@5000.service", "web", 5000)


@pytest.mark.parametrize(
    ("batch", "fleet", "expected"),
    [
        (1, 4, [1, 1]),
        (9, 4, [9]),
        ("25%", 4, [1, 1]),
        ("25%", 7, [1, 1]),
        ("50%", 5, [2, 2]),
        ("1%", 5, [1]),
        ("100%", 5, [5]),
        ([1, "25%", "50%"], 8, [1, 2, 4, 4]),
        (["10%", 3], 2, [1, 3, 3]),
    ],
)
def test_a_percentage_rounds_down_to_at_least_one_and_the_last_entry_repeats(
    batch: object, fleet: int, expected: list[int]
) -> None:
    sizes = Batch.parse(batch)
    assert [sizes.hosts(index, fleet) for index in range(len(expected))] == expected


@given(percent=st.integers(1, 100), fleet=st.integers(1, 2000))
def test_a_percentage_never_takes_more_than_its_share(percent: int, fleet: int) -> None:
    size = Batch.parse(f"{percent}%").hosts(0, fleet)
    assert size >= 1
    assert size == 1 or size * 100 <= fleet * percent
    assert (size + 1) * 100 > fleet * percent


def test_the_command_lines_app_and_batch_win(tmp_path: Path) -> None:
    (tmp_path / "fabric.yaml").write_text(FILE)
    chosen = arguments.environment_of(tmp_path / "fabric.yaml", "lab", "web", "1, 25%,50%")
    assert chosen.rollout.batch.sizes == ("1", "25%", "50%")
    assert [app.name for app in chosen.apps] == ["web"]


@pytest.mark.parametrize(
    ("app", "batch", "expected"),
    [
        ("wbe", None, "lab: no app 'wbe'; did you mean 'web'?"),
        ("zzz", None, "lab: no app 'zzz'; known: web"),
        (None, "0", "--batch 0: a batch of 0 deploys nothing; at least 1 is needed"),
        (None, "101%", "--batch 101%: 101% is more than the whole fleet; at most 100% is possible"),
        (None, "-1", "--batch -1: a batch of -1 deploys nothing; at least 1 is needed"),
        (None, "all", f"--batch all: 'all' is {SIZE}"),
        (None, "", f"--batch : '' is {SIZE}"),
    ],
)
def test_a_bad_option_is_told_with_its_name(
    app: str | None, batch: str | None, expected: str, tmp_path: Path
) -> None:
    (tmp_path / "fabric.yaml").write_text(FILE)
    with pytest.raises(BadInput) as refused:
        arguments.environment_of(tmp_path / "fabric.yaml", "lab", app, batch)
    assert str(refused.value) == expected


def test_a_surrogate_pair_is_the_character_that_it_stands_for(tmp_path: Path) -> None:
    old, new = with_key(r'environment: {UNI: "\ud83d\ude80", "\ud83d\ude80": a}')
    app = loaded(tmp_path, FILE.replace(old, new, 1)).apps[0]
    assert app.environment == {"UNI": "\N{ROCKET}", "\N{ROCKET}": "a"}


def test_limits_are_merged_one_by_one_and_numbers_are_text(tmp_path: Path) -> None:
    old, new = with_key('limits: {LimitNOFILE: 1024, LimitNPROC: "512:infinity"}')
    text = FILE.replace(old, new, 1).replace(
        "      hosts:", "      apps: {web: {limits: {LimitNOFILE: 65536}}}\n      hosts:"
    )
    merged = {"LimitNOFILE": "65536", "LimitNPROC": "512:infinity"}
    assert loaded(tmp_path, text).apps[0].limits == merged
    assert loaded(tmp_path, FILE).apps[0].limits == {}


def test_the_sandbox_is_merged_directive_by_directive(tmp_path: Path) -> None:
    old, new = with_key("sandbox: {PrivateUsers: false, LimitCORE: false}")
    text = FILE.replace(old, new, 1).replace(
        "      hosts:", "      apps: {web: {sandbox: {LimitCORE: true}}}\n      hosts:"
    )
    assert loaded(tmp_path, text).apps[0].sandbox_removed == ("PrivateUsers",)


def test_a_user_that_the_settings_name_is_told_from_the_apps_own(tmp_path: Path) -> None:
    assert not loaded(tmp_path, FILE).apps[0].names_user
    old, new = with_key("user: web")
    assert loaded(tmp_path, FILE.replace(old, new, 1)).apps[0].names_user


def test_a_command_may_be_written_over_several_lines(tmp_path: Path) -> None:
    old, new = with_key("command: >\n        web\n        --port {port}")
    assert loaded(tmp_path, FILE.replace(old, new, 1)).apps[0].command == "web --port {port}\n"


@pytest.mark.parametrize(
    "text",
    [
        "deploy: " + "[" * 400,
        "deploy: {a: " + "9" * 5000 + "}",
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{c}: &{c} [{','.join(['*' + chr(ord(c) - 1)] * 9)}]\n" for c in "bcdefghij"),
    ],
    ids=["deep", "a number without end", "aliases of aliases"],
)
def test_a_file_without_bounds_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"fabric\.yaml"):
        loaded(tmp_path, text)


LOOPBACK = ["http://localhost", "http://localhost:5000/", "http://127.0.0.1:1", "http://127.9.8.7"]
LOOPBACK += ["http://[::1]:8080", "HTTP://LOCALHOST:1", "https://api.example.com/path"]
CLEAR = ["http://10.0.0.1", "http://0.0.0.0:1", "http://127.0.0.1.example.com", "http://[::2]"]
CLEAR += ["http://localhost.example.com", "http://127.0.0.1@example.com", "http://[::ffff:1.2.3.4]"]
CLEAR += ["http://example.com#@localhost", "http://example.com\\@localhost", "localhost:5000"]
CLEAR += ["http://localhost:99999", "ftp://localhost", "http://", "http://[::1", "http://1270.0.1"]
CLEAR += [
    "http://localhost?x=http://a",
    "//localhost",
    "http://user:pass@localhost",
    "http://lo calhost",
]


@pytest.mark.parametrize("url", LOOPBACK)
def test_an_endpoint_on_loopback_or_over_tls_may_be_used(url: str) -> None:
    assert endpoint.problem(url) == ""


@pytest.mark.parametrize("url", CLEAR)
def test_an_endpoint_that_shows_credentials_to_the_network_is_refused(url: str) -> None:
    assert endpoint.problem(url)


def test_apps_behind_one_proxy_have_its_port_and_its_groups(tmp_path: Path) -> None:
    both = FILE.replace(
        "  environments:",
        "      target_port: 80\n"
        "    api: {package: a.*.zip, ports: [5001], target_port: 80, target_group: web-lab}\n"
        "  environments:",
    )
    web, api = loaded(tmp_path, both).apps
    assert web.shares_target_with(api)
    (tmp_path / "fabric.yaml").write_text(both)
    only = arguments.environment_of(tmp_path / "fabric.yaml", "lab", "api", None)
    assert [app.name for app in only.asked_apps] == ["api"]
    assert (only.beside, only.other_apps) == (("web",), ())


@pytest.mark.parametrize("indent", [None, 2, "\t"])
@pytest.mark.parametrize("is_ascii", [True, False])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_settings_written_by_a_json_library_mean_what_they_meant_there(
    indent: int | str | None, is_ascii: bool, ends: str, tmp_path: Path
) -> None:
    """Case 28: what JSON escapes, and what it leaves as it is where YAML would not."""
    values = {
        "ROCKET": "\U0001f680",
        "LINES": "a\u2028b\u2029c\u0085d",
        "PATH": "C:\\x",
        "E": "1e3",
    }
    app = {"package": "web.*.zip", "ports": [5000], "target_group": "x", "environment": values}
    document = {"deploy": {"apps": {"web": app}, "environments": {"lab": {"hosts": ["one"]}}}}
    text = json.dumps(document, indent=indent, ensure_ascii=is_ascii).replace("/", "\\/")
    (tmp_path / "fabric.yaml").write_bytes(text.replace("\n", ends).encode())
    assert load.load(tmp_path / "fabric.yaml", "lab").apps[0].environment == values
