"""What hosts have written down: their services' journals, and how runs ended.

journal_line, merge, run_record (values)     reader (one host's journal)     run_records (all hosts)
proven_runs (which records count)
"""
