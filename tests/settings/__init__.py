"""Tests of deploy.settings."""
