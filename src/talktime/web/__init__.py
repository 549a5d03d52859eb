"""What people see in a browser: server-rendered pages.

`router` holds the pages and the static files. `install` gives every process the security headers, the two questions of
a load balancer, and a page rather than JSON for a browser at an address that is none.
"""

from talktime.web.install import install, router

__all__ = ["install", "router"]
