"""The product as people have it: served by its own command, looked at with a real browser.

Needs a Chromium; without one these tests are skipped, and say so.
"""
