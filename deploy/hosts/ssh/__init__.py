"""One host over SSH, as the settings and the user's ssh configuration want it.

ssh_config, algorithms -> transport -> connection -> connect -> remote
remote -> exchange (a command) -> framing; guard (refusals), http_probe
"""
