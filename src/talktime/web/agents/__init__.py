"""The pages of agents: the list, the editor with its parts, publishing, what was published before, the prompt."""
