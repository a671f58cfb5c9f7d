"""What happens in a run, as one stream of events: every view of it is drawn from them.

event, planned, recovery, user (their types)     text (as lines of JSON)
stream (who listens)     file (where they are kept)     runs, names (which there are, and of what)

Messages:
    When: A past run is read
    Fleet: Not touched.
    Do: Type more of the run's id; `inv history --env prod` lists the runs. An events file that is
        damaged can only be replaced by another copy of it.
"""
