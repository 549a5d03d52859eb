"""For programs that wait.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""
