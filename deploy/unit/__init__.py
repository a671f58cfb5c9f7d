"""The systemd unit of a slot: settings and a template become the text of a file.

spec (what it says) -> variables (as systemd wants it) -> rendering (the text)
template -> template_sandbox -> template_budget, template_files: how Jinja2 is kept in bounds
command: what the settings may start
sandbox (the directives that shut the service in), limits, lint (warnings), syntax

Messages:
    When: A unit is rendered
    Fleet: Nothing was changed.
    Do: Correct the key of the app, or the line of the template. `inv deploy --env prod --dry-run`
        then shows what changes of the unit.
"""
