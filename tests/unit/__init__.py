"""Tests of deploy.unit."""
