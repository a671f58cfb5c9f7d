"""Tests of deploy.starter."""
