"""Tests of deploy.difference."""
