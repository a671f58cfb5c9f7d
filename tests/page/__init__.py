"""Tests of deploy.page."""
