"""What is done on one host: frozen values with a sentence and a `run(fleet)`.

staging, rehearsal, target, drain, unit, verify, answers, records -> base, fleet
quiet_drain: whether a quiet host may end a drain, or none is needed
senders: who still sends requests at the end of one
"""
