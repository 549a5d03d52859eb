"""Ears, a head and a mouth that need no network and no key: for trying, testing and developing. They say so themselves
wherever their name is shown, and never stand in for a vendor that was asked for."""
