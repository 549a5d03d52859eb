"""People who sign in: User, Session."""
