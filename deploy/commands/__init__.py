"""What each command does.

changes (their plans) → pipeline (look, ask, do, report) → rollout, signals → conclusion
status, lock (those that only look, or decide)
"""
