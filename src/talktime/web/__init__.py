"""What people see in a browser: server-rendered pages."""
