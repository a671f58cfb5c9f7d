"""What leads back: from a failed step, a killed deploy, or a release that is not wanted. Pure.

failed_host: the steps that leave a host whole     repair: the plan for a killed deploy
rollback -> newest_run -> history -> chronology
"""
