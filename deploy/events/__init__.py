"""What happens in a run, as one stream of events from which every view is drawn.

event, planned, question, recovery, user: the types     text: as lines of JSON
stream: passes events to listeners     file: keeps them     runs, names, earlier: read past runs

Messages:
    When: A past run is read
    Fleet: Not touched.
    Do: Type more of the run's id; `inv history --env prod` lists the runs. An events file that is
        damaged can only be replaced by another copy of it.
"""
