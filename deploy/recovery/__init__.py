"""How to return to a state that serves: after a failed step, a killed deploy, a bad release. Pure.

failed_host: the steps that restore a host, as a recovery (the type)
failed_recovery: where one of these fails too
repair: the plan after a killed deploy     shared_target: apps behind one proxy
rollback -> newest_run -> history -> chronology     stored_units: old releases in new slots
previous_unit, half_adopted: the unit under `replaces:`     longest_path: how long a batch may take
answers: decisions about failed hosts     restarts: the plan to start again what runs

Messages:
    When: A release to go back to is chosen
    Fleet: Nothing was changed.
    Do: `inv history --env prod` shows what was deployed when. Name the release: `inv rollback
        --env prod --to 1.0.0`.
"""
