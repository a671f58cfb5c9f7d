"""Fabric's own keys of the settings file: which may be set, and to what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fabric import Config

from deploy.errors import BadInput, nearest

if TYPE_CHECKING:
    from deploy.settings.environment import Environment


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


_ABSENT = object()
_NO_FORWARDING = (
    "the agent is never forwarded: root on a host could use its keys; remove the key, and give a "
    "jump host with ProxyJump in ~/.ssh/config"
)


_OWN_WAY = "commands are sent as scripts by standard input, without a terminal"
UNUSED = {
    "run": _OWN_WAY,
    "sudo": "sudo is called as `sudo -n` and needs no password; allow that on the hosts",
    "runners": _OWN_WAY,
    "timeouts": "set `ssh: connect_timeout_seconds:`; each command has a limit of its own",
    "authentication": "set `ssh: key_files:`, or use your agent",
    "inline_ssh_env": "no variables are sent to hosts",
}
"""Keys of Fabric's that connections here do not follow, each with the reason or what to set."""


def check(environment: Environment) -> None:
    """Refuse top-level keys that Fabric would pass over, or break on, once for all connections.

    Keys that only Fabric's own commands use are refused as well, unless they are as by default.
    """
    defaults = Config.global_defaults()
    for key, value in environment.fabric.items():
        if key not in defaults:
            hint = nearest(key, defaults) or "; Changeover's own stand under `deploy:`"
            raise BadInput(f"{environment.name}: top level: {key!r} is no key of Fabric's{hint}")
        kind = type(defaults[key])
        if None not in (value, defaults[key]) and not isinstance(value, kind):
            wanted = "a mapping" if kind is dict else f"of type {kind.__name__}"
            raise BadInput(f"{environment.name}: top level: {key}: must be {wanted}, not {value!r}")
    problems = [
        f"{environment.name}: top level: {key}: Changeover does not use it: {UNUSED[top]}; remove "
        "the key"
        for top, value in environment.fabric.items()
        if top in UNUSED
        for key in _changed(top, value, defaults[top])
    ]
    if problems:
        raise BadInput(*problems)
    if environment.fabric.get("forward_agent"):
        raise BadInput(f"{environment.name}: top level: forward_agent: {_NO_FORWARDING}")
    _refuse_arguments(environment)


def _changed(top: str, value: object, default: object) -> list[str]:
    """The keys, `run.pty` for instance, whose values are not those that Fabric has by default."""
    if isinstance(value, dict) and isinstance(default, dict):
        return [f"{top}.{key}" for key in value if value[key] != default.get(key, _ABSENT)]
    return [] if value in (None, default) else [top]


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
        allowed = (int, float) if kind is float else kind
        if value is not None and not isinstance(value, allowed):
            raise BadInput(f"{where}: {key}: must be of type {kind.__name__}, not {value!r}")
        if isinstance(value, dict) and not all(isinstance(each, list) for each in value.values()):
            raise BadInput(f"{where}: {key}: must map kinds to lists of names, not {value!r}")
