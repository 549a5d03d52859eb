"""The pages about a customer's phone numbers: which agent answers each, whether it works, and giving one back."""
