"""What an operator sees: a terminal, a CI log, JSON; and the question before a change.

console (Screen) -> live (a table), log_lines (in CI), tables, question
    -> run (what a run's events show, as lines)
    -> streams (what is shown is guarded) -> terminal (left as it was found)
status_table (as a table) -> status (as values and JSON) -> fleet
doctor: what `inv check` found; records: journals and runs; watched: a run as others see it
call_lines: what --verbose shows

Messages:
    When: A terminal is needed
    Fleet: Nothing was changed.
    Do: Type `--yes` where no question can be asked, as in a script.
"""
