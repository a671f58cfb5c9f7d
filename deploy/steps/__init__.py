"""What is done on one host: frozen values with a sentence and a `run(fleet)`.

staging, rehearsal, target, drain, unit, verify, answers, records -> base, fleet
drain: waits until a drain is over     shorter_drain: whether it may end early or need not begin
senders: who still sends requests at its end -> observation

Messages:
    When: A step on a host fails
    Fleet: The host is restored at once: it returns to its previous release, which is proven before
        it serves. All other hosts keep serving. If it could not be restored, it is out of service,
        and the report says so (exit code 5).
    Do: Read the cause at the top of the report, and `inv logs --env prod --since 15m`. Fix it, and
        type what the report has under `next:`. `inv repair --env prod` returns a host to service
        that was left out.
"""
