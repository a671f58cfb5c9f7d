"""Hooks: which there are, how one runs, and which is due."""
