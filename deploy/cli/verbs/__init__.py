"""Commands, a module for each; `commands` has those that came first.

logs, history (what hosts have written down)     restart     moments (times as they are typed)
"""
