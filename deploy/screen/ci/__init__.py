"""What CI systems show of a run beside its lines: groups, annotations, the job's summary.

groups -> dialects (the commands of each system)     summary (GitHub's page of a job)
"""
