"""Receptionists: Agent, AgentVersion, AgentDraft; what they know, how they are told it, and when they are open."""
