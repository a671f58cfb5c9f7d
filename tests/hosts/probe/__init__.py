"""Tests of deploy.hosts.probe."""
