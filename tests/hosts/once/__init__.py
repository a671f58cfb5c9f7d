"""Tests of deploy.hosts.once."""
