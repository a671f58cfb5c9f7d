"""A package from a build: verified, read with care, and made into what hosts are sent.

release (name and version)     signatures -> verification
readers (zip_names), tar_stream, folder -> entries (rules) -> opening -> manifest, archive
archive, manifest -> delta (what one host lacks)
program, runnable: what a command needs     cache: opened packages on this workstation

Messages:
    When: A package is opened
    Fleet: Nothing was changed.
    Do: Build the package again, or name another one with `--package`. `inv check --env prod` opens
        it as a deploy does.
"""
