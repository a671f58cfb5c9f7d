"""Opened packages kept in a cache folder of the user's, so that no command packs them again.

content (what a package is now) -> cached_opening <- entry (one file) <- private_folder

A cache that cannot be read or written changes nothing but the time that a command takes.
"""
