"""Tests of the simulated phone company, against a small real server."""
