"""The pages about webhooks: where a customer's own programs are told of what happens, and what they were told."""
