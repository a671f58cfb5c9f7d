"""Starts again what runs: the same release under the same unit.

restart: the plan for it
"""
