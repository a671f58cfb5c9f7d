"""Tests of deploy.once."""
