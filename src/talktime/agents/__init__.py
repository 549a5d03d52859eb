"""Receptionists: Agent, AgentVersion; what they know and when they are open."""
