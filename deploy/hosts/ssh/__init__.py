"""One host over SSH, as the settings and the user's ssh configuration want it.

ssh_config, algorithms -> transport -> connect -> remote -> framing, http_probe
"""
