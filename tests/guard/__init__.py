"""The last guard: whatever users' files and command lines hold, a command ends in one message.

A valid input is damaged at every level, and read through the console command's own entry point, in
this process. Every outcome is success or one message with an exit code from docs/exit-codes.md:
never another exception, never a hang.

damage (what goes wrong with a file), command (runs one, judges how it ended) -> the tests

The fast tests take a few examples of each kind; `make guard` takes 10,000.
"""
