"""What is done on one host: frozen values with a sentence and a `run(fleet)`.

staging, target, idle_drain, unit, verify, records -> base, fleet
"""
