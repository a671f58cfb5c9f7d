"""One host over SSH, as the settings and the user's ssh configuration want it.

openssh -> ssh_config; algorithms -> transport, known_hosts -> connection
ssh_config, connection -> connect, login -> remote
known_hosts: whether a host's key is trusted
remote -> exchange (a command) -> framing; guard (refusals), forwarding (to a port there)
"""
