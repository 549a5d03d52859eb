"""Buying credit: Purchase."""
