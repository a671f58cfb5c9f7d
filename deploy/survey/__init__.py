"""A look at all hosts and groups at once, as frozen values; nothing is changed.

gather -> parse, unit_state -> reader
       -> facts -> app_on_host -> slot
question, serving: what serves is asked; blame: whether a state is the release's fault
other_targets, foreign_targets: what else gets requests
"""
