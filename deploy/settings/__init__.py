"""What can be set: fabric.yaml becomes one Environment that checks itself.

fabric.yaml -> yaml_document -> load -> environment (app, rollout) -> base
load -> explain, for what is wrong
"""
