"""What can be set: fabric.yaml becomes one Environment that checks itself.

fabric.yaml -> yaml_document -> load -> environment (app, rollout) -> base
load -> explain, for what is wrong

Messages:
    When: The settings are read
    Fleet: Not touched, and not asked.
    Do: Correct the line that is named. `changeover schema` prints all keys; `inv check --env prod`
        reads the settings again, and looks at all else.
"""
