"""The user's ssh configuration, read as OpenSSH reads it.

options (of one name): by program (`ssh -G`), or by lines, match, tokens -> reader
answers (what values mean), instance (a Name tag and an address), direct (without a jump host)
"""
