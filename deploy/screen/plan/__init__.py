"""A plan as a person reads it, drawn from its event alone: folded by default, or step by step.

text -> folded (blocks), full -> changes, ending -> words
"""
