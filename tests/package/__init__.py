"""Tests of deploy.package."""
