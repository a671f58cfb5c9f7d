"""Settings that are directives of a service's unit.

directives: those of its sandbox and its limits, by name
"""
