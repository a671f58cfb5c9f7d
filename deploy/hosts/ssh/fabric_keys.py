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


_NO_FORWARDING = (
    "the agent is never forwarded: root on a host could use its keys; remove the key, and give a "
    "jump host with ProxyJump in ~/.ssh/config"
)


def check(environment: Environment) -> None:
    """Refuse top-level keys that Fabric would pass over, or break on, once for all connections."""
    defaults = Config.global_defaults()
    for key, value in environment.fabric.items():
        if key not in defaults:
            hint = nearest(key, defaults) or "; Changeover's own stand under `deploy:`"
            raise BadInput(f"{environment.name}: top level: {key!r} is no key of Fabric's{hint}")
        kind = type(defaults[key])
        if None not in (value, defaults[key]) and not isinstance(value, kind):
            wanted = "a mapping" if kind is dict else f"of type {kind.__name__}"
            raise BadInput(f"{environment.name}: top level: {key}: must be {wanted}, not {value!r}")
    if environment.fabric.get("forward_agent"):
        raise BadInput(f"{environment.name}: top level: forward_agent: {_NO_FORWARDING}")
    _refuse_arguments(environment)


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
