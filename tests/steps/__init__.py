"""Tests of deploy.steps."""
