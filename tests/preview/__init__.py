"""Tests of deploy.preview."""
