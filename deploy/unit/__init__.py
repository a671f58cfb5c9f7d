"""The systemd unit of a slot: settings and a template become the text of a file.

template, sandbox, syntax -> unit_file
"""
