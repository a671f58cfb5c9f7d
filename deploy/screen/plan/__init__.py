"""A plan as a person reads it, drawn from its event alone: folded by default, or step by step.

text -> folded, full -> changes -> words
"""
