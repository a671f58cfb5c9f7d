"""The systemd unit of a slot: settings and a template become the text of a file.

spec (its values) -> variables (as systemd wants them written) -> rendering (the text)
template -> template_sandbox -> template_budget, template_files: limits for Jinja2
command: which commands the settings may start     staged: units that try a staged release
sandbox (the service's own), limits, lint (warnings), syntax

Messages:
    When: A unit is rendered
    Fleet: Nothing was changed.
    Do: Correct the key of the app, or the line of the template. `inv deploy --env prod --dry-run`
        then shows what changes of the unit.
"""
