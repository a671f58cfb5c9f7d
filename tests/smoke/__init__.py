"""Smoke tests through the load balancer."""
