"""Reads all hosts and target groups at once, as frozen values, and changes nothing.

gather -> parse, unit_state -> reader
       -> facts -> app_on_host -> slot
question, check, serving: asks what serves     blame: whether a state is the release's fault
other_targets, foreign_targets: what else gets requests     units: other units of a host

Messages:
    When: Hosts and target groups are looked at
    Fleet: Nothing was changed.
    Do: `inv status --env prod` shows the same look, and `inv check --env prod` all that is wrong
        with it.
"""
