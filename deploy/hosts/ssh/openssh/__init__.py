"""The user's ssh configuration, read as OpenSSH reads it.

options (of one name): by program (`ssh -G`), or by lines, match, tokens -> reader
answers (what values mean), instance (a Name tag and an address); private_keys, agents -> identities
(what a login offers); known_lines, host_certificates (which host keys are trusted)
"""
