"""Tests of deploy.session."""
