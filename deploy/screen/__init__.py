"""What an operator sees: a terminal, a CI log or JSON, and the question before a change.

console (Screen) -> live (a table), log_lines (in CI), tables, question
    -> run (a run's events as lines)
    -> streams (guards all output) -> terminal (left as it was found)
status_table (as a table) -> status (as values and JSON) -> fleet
doctor: findings of `inv check`     records: journals and runs
fleet, plan, run, watched, ci: what is drawn of a status, a plan, a run, a run of others, in CI
lock: what watching a lock showed     region: the part of a terminal that is redrawn
call_lines: what --verbose shows

Messages:
    When: A terminal is needed
    Fleet: Nothing was changed.
    Do: Type `--yes` where no question can be asked, as in a script.
"""
