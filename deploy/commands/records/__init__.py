"""The commands that show what hosts have recorded.

logs (the services' journals), history (runs)     moments (reads times as they are typed)
"""
