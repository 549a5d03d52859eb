"""Mail: what it says, how it looks, and how it leaves the house."""
