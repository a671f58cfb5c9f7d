"""What hosts run once for each release, and what they have written down of it.

record    started or done, by whom: a line on each host
evidence  what all hosts show: whether it ran, as a majority has it
ledger    reads and writes records on many hosts
scripts   builders of what hosts are sent
"""
