"""One host over SSH, as the settings and the user's ssh configuration want it.

ssh_config, algorithms -> transport, known_hosts -> connection -> connect, login -> remote
remote -> exchange (a command) -> framing; guard (refusals), forwarding (to a port there)
"""
