"""What `make check` looks at beside types and style: docs, reasons, and the API against its last release."""
