"""The typed client, against the application itself and against servers that misbehave."""
