"""What can be set: fabric.yaml becomes one Environment that checks itself.

fabric.yaml -> yaml_document -> load -> model
load -> explain, for what is wrong
"""
