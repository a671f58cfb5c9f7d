"""Tests of deploy.recovery."""
