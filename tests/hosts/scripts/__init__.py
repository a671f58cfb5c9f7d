"""Tests of deploy.hosts.scripts."""
