"""What leads back: from a failed step, a killed deploy, or a release that is not wanted. Pure.

failed_host: the steps that leave a host whole     repair: the plan for a killed deploy
recovery: a recovery as data          shared_target: apps behind one proxy
rollback -> newest_run -> history -> chronology
"""
