"""Tests of deploy.hosts.ssh."""
