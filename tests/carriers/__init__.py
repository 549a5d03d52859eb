"""Tests of the carriers' wire formats."""
