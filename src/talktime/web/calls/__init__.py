"""Calls: the list with what runs on top, one call with its conversation and its receipt, and what is said of it."""
