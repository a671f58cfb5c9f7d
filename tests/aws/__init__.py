"""Tests of deploy.aws."""
