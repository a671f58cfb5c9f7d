"""Tests of deploy.survey."""
