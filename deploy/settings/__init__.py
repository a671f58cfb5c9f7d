"""What can be set: fabric.yaml becomes one Environment, checked without a network.

fabric.yaml -> yaml_document -> load -> environment (app, health, rollout, verify) -> base
load -> explain (errors in words), ownership (who could change the file)
success_codes, endpoint, units: the grammar of some values
scope: what a command was asked for, and commands about the same

Messages:
    When: The settings are read
    Fleet: Not touched, and not asked.
    Do: Correct the line that is named. `changeover schema` prints all keys; `inv check --env prod`
        reads the settings again, and looks at all else.
"""
