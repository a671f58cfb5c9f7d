"""Tests of deploy.hosts.route."""
