"""Closing an account, exporting it, forgetting a caller: the verbs that reach across all the others."""
