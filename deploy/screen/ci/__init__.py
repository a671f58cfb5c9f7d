"""What CI systems show of a run beside its lines: groups, annotations, the job's summary.

order (a failure, then its evidence) -> groups -> dialects (the commands of each system)
summary (GitHub's page of a job)
"""
