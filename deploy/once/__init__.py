"""What one host runs once for each release, before the first host is taken out: `run_once:`.

plan     adds it to a deploy's plan, or makes the deploy ask first
refusal  the message about one that was started and is not known to be done
step     runs it, and records how far it came

Messages:
    When: `run_once:` is decided about and run
    Fleet: Nothing was changed, and no host was taken out. The command itself may have done a part
        of its work.
    Do: See what it did: its output is in the journal of the host that is named. Then deploy again;
        where it is asked for, with `--run-once again` or `--run-once skip`.
"""
