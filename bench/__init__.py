"""Measurements that the project promises; each makes its own server and throws it away."""
