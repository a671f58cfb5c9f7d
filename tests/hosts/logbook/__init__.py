"""Tests of deploy.hosts.logbook."""
