"""What one target shows of an AWS account: out of its groups and in again, twice. Pure.

rounds: the plan for it     findings: what follows from it     trace: all of it, without names
"""
