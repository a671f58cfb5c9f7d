"""How an app's units stand to the other units of a host. Pure.

occupied: what already has a slot's port, or its unit's name
file_variables: variables that an environment file sets in place of the unit
ties: units that systemd stops with an app's, and those that may start one

Messages:
    When: Other units and the variables of a host are looked at
    Fleet: Nothing was changed.
    Do: Do what the message says on the host that it names, or choose another port or name.
"""
