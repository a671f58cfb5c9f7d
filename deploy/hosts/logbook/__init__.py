"""What hosts have recorded: their services' journals, and how runs ended.

reader (one host's journal) -> journal_line -> merge (of many hosts)
run_records (all hosts) -> run_record -> proven_runs (which records count)
"""
