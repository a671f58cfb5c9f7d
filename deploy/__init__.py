"""Changeover: zero-downtime deploys to Linux VMs behind an AWS load balancer."""
