"""What can be asked for, made from docs/openapi.json by scripts/client.py. Change nothing here by hand."""
