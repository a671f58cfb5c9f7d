"""Tests of deploy.plan."""
