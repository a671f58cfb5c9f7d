"""What an operator sees: a terminal, a CI log, JSON; and the question before a change.

console (Screen) -> live, tables, question -> streams
overview, for tables and JSON
"""
