"""Explains why a login failed, by what the machine showed and which keys are here. Pure.

unknown_key: a machine whose host key is not known, with what to compare and what to add
login: which keys were offered, which were not, and why
not_run: what sudo or a login shell printed in place of an answer
"""
