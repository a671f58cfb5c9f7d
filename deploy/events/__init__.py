"""What happens in a run, as one stream of events: every view of it is drawn from them.

event, planned, recovery, user (their types)     text (as lines of JSON)
stream (who listens)     file (where they are kept)
"""
