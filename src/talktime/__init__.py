"""Prepaid AI phone agents on your own PostgreSQL."""
