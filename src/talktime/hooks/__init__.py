"""The doors that providers knock on: a ring, a report, the media socket."""
