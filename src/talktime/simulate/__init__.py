"""Simulated callers and provider servers that speak the real wire formats; used by tests, `talktime call` and the demo."""
