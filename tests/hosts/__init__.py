"""Tests of deploy.hosts."""
