"""How we talk to PostgreSQL."""
