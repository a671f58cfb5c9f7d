"""The commands that show what hosts have written down.

logs (the services' journals), history (runs)     moments (times as they are typed)
"""
