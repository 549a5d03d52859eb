"""The pool of phone numbers: PhoneNumber."""
