"""What hosts run once for each release (`run_once:`), and their records of it.

record    started or done, by whom: a line on each host
evidence  whether it ran, by what a majority of all hosts shows
ledger    reads and writes records on many hosts
scripts   builders of what hosts are sent
"""
