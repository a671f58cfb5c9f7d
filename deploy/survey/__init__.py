"""A look at all hosts and groups at once, as frozen values; nothing is changed.

gather -> parse, unit_state -> reader
       -> facts -> app_on_host -> slot
question, serving: what serves is asked; blame: whether a state is the release's fault
other_targets, foreign_targets: what else gets requests

Messages:
    When: Hosts and target groups are looked at
    Fleet: Nothing was changed.
    Do: `inv status --env prod` shows the same look, and `inv check --env prod` all that is wrong
        with it.
"""
