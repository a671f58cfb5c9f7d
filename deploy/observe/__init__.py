"""What one target shows of an AWS account: out of its groups and in again, twice. Pure.

rounds: the plan for it     watch: its steps     findings: what follows     trace: without names
"""
