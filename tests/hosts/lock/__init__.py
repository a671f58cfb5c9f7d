"""Tests of deploy.hosts.lock."""
