"""What leads back: from a failed step, a killed deploy, or a release that is not wanted. Pure.

failed_host: the steps that leave a host whole, as a recovery   repair: the plan for a killed deploy
failed_recovery: the same where one of these fails too          shared_target: apps behind one proxy
rollback -> newest_run -> history -> chronology
stored_units: a unit for a slot that the app did not have when a release was deployed

Messages:
    When: A release to go back to is chosen
    Fleet: Nothing was changed.
    Do: `inv history --env prod` shows what was deployed when. Name the release: `inv rollback
        --env prod --to 1.0.0`.
"""
