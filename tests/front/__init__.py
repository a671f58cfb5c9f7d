"""Requests from the workstation, as a user's browser sends them."""
