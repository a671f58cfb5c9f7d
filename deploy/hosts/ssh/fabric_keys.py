"""Fabric's own keys in the settings file: which may be set, and to what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fabric import Config

from deploy.errors import BadInput, nearest, reading
from deploy.settings.base import A_KEY_ITSELF, is_private_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.settings.environment import Environment


HIGHEST_PORT = 65_535

ARGUMENTS: dict[str, type] = {
    "allow_agent": bool,
    "auth_timeout": float,
    "banner_timeout": float,
    "channel_timeout": float,
    "compress": bool,
    "disabled_algorithms": dict,
    "key_filename": object,
    "look_for_keys": bool,
    "passphrase": str,
    "password": str,
}
"""What `connect_kwargs:` may hold, each with its type; the rest of Paramiko's is decided here."""
SECRET = frozenset({"passphrase", "password"})
"""Those of them that no message may show."""


UNUSED: dict[str, str] = {
    "run.pty": "no command gets a terminal; where sudo wants one, write `Defaults !requiretty`",
    "run.shell": "hosts run programs for sh, whatever the login shell is",
    "run.env": "variables of the service go under `environment:` of its app",
    "inline_ssh_env": "variables of the service go under `environment:` of its app",
    "sudo.user": "hosts are changed as root",
    "sudo.password": "sudo must not ask: allow NOPASSWD in /etc/sudoers.d",
    "timeouts.connect": "write it as `ssh: connect_timeout_seconds:` of the environment",
    "authentication": "write `ssh: user:` and `ssh: key_files:` of the environment",
}
"""Keys of Fabric's that have no effect here, each with what has; others of their sections too."""
_REMOVE = "remove it; for tasks of your own it may stand in ~/.fabric.yaml"
_SECTIONS = frozenset({"run", "sudo", "runners", "timeouts", "authentication", "inline_ssh_env"})


_NO_FORWARDING = (
    "the agent is never forwarded: root on a host could use its keys; remove the key, and give a "
    "jump host with ProxyJump in ~/.ssh/config"
)


OPTIONAL: dict[str, type] = {"gateway": str, "ssh_config_path": str, "connect": float}
"""The types of keys whose default is None, where a value of another one would break Fabric."""


@reading("Fabric's keys, at the top level of the settings,", "leave out the unusual one")
def check(environment: Environment) -> None:
    """Refuse top-level keys that Fabric would pass over, or break on, once for all connections."""
    where, defaults = f"{environment.name}: top level", Config.global_defaults()
    for key in environment.fabric:
        if key not in defaults:
            hint = nearest(key, defaults) or "; Changeover's own stand under `deploy:`"
            raise BadInput(f"{where}: {key!r} is no key of Fabric's{hint}")
    _refuse_kinds(where, environment.fabric, defaults)
    for key, value in environment.fabric.items():
        if key in _SECTIONS:
            _refuse_unused(environment, key, value, defaults[key])
    if environment.fabric.get("forward_agent"):
        raise BadInput(f"{where}: forward_agent: {_NO_FORWARDING}")
    port = environment.fabric.get("port", 1)
    if not 1 <= port <= HIGHEST_PORT:
        raise BadInput(f"{where}: port: must be from 1 to {HIGHEST_PORT}, not {port}")
    _refuse_arguments(environment)


def _refuse_unused(environment: Environment, key: str, value: object, default: object) -> None:
    """Refuse a key that would change what Fabric does, and nothing that Changeover does."""
    where = f"{environment.name}: top level: "
    given = value if isinstance(value, dict) else {"": value}
    known = default if isinstance(default, dict) else {"": default}
    for inner, wanted in given.items():
        name = f"{key}.{inner}" if inner else key
        if inner not in known:
            hint = nearest(str(inner), known)
            raise BadInput(f"{where}{name} is no key of Fabric's{hint}")
        if wanted is not None and wanted != known[inner]:
            why = UNUSED.get(name) or UNUSED.get(key, _REMOVE)
            raise BadInput(f"{where}{name} has no effect on hosts here: {why}")


def _refuse_kinds(where: str, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Refuse values of another type than Fabric's own, also within its mappings."""
    for key, value in given.items():
        default = defaults.get(key)
        kind = OPTIONAL.get(key) or type(default)
        if value is None and kind is not dict:
            continue
        if kind is dict and isinstance(value, dict):
            _refuse_kinds(f"{where}: {key}", value, default or {})
        elif kind not in {type(None), type} and not _is_a(value, kind):
            wanted = "a mapping" if kind is dict else f"of type {kind.__name__}"
            raise BadInput(f"{where}: {key}: must be {wanted}, not {value!r}")


def _is_a(value: object, kind: type) -> bool:
    """Whether a value can stand where one of this type is expected; a bool is no number."""
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _refuse_arguments(environment: Environment) -> None:
    """Refuse what Paramiko's connect does not take, or what only Changeover may set."""
    where = f"{environment.name}: top level: connect_kwargs"
    for key, value in (environment.fabric.get("connect_kwargs") or {}).items():
        if key == "forward_agent":
            raise BadInput(f"{where}: forward_agent: {_NO_FORWARDING}")
        if key not in ARGUMENTS:
            hint = nearest(str(key), ARGUMENTS) or f"; known are {', '.join(ARGUMENTS)}"
            raise BadInput(f"{where}: {key!r} cannot be set here{hint}")
        kind = ARGUMENTS[key]
        if value is not None and kind is not object and not _is_a(value, kind):
            wanted = f"of type {kind.__name__}, not {value!r}"
            wanted = "text: put it in quotes" if key in SECRET else wanted
            raise BadInput(f"{where}: {key}: must be {wanted}")
        names = [value] if isinstance(value, str) else value
        if (
            key == "key_filename"
            and value is not None
            and not (isinstance(names, list) and all(isinstance(name, str) for name in names))
        ):
            raise BadInput(f"{where}: {key}: must be a path, or a list of paths, not {value!r}")
        if key == "key_filename" and any(map(is_private_key, names or ())):
            raise BadInput(f"{where}: {key}: {A_KEY_ITSELF}")
        if isinstance(value, dict) and not all(isinstance(each, list) for each in value.values()):
            raise BadInput(f"{where}: {key}: must map kinds to lists of names, not {value!r}")
