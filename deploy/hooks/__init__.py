"""Programs of the user's own that run on the workstation as a run goes on.

folder (which there are) → hook (runs one) → runner (which one is due, and what its failure means)
words (what is said of hooks, and of pauses for a decision)
"""
