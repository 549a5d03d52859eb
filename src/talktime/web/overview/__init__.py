"""The overview: how the day goes, who is on the line, and what needs looking at."""
