"""Prepaid credit: accounts, holds, the ledger. The database functions in `sql/` are its only writers."""
