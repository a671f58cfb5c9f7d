"""A look at all hosts and groups at once, as frozen values; nothing is changed.

gather -> parse, unit_state -> reader
       -> facts -> app_on_host -> slot
"""
