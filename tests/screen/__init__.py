"""Tests of deploy.screen."""
