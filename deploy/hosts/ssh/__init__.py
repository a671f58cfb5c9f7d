"""One host over SSH, by the settings and the user's ssh configuration.

openssh -> ssh_config; algorithms -> transport, known_hosts -> connection
ssh_config, connection -> connect, login -> remote
fabric_keys: Fabric's keys in the settings
remote -> exchange (a command) -> framing; guard (before each change), forwarding (to a port there)
"""
