"""Simulated callers and providers' servers that speak the real wire formats: for tests, `talktime call`, the demo."""
