"""Talktime for assistants: a Model Context Protocol server over the REST API (`talktime mcp`).

It is a client of `/v1` like any other program, with a key: scopes, limits, the audit log and who sees what hold there,
and nothing can be done by it that the key could not do without it. So it knows nothing of databases and domains, and
it can run on another machine than Talktime does.
"""
