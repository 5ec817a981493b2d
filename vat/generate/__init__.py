"""Data that an LLM writes: scenes, actions in them, and what is known about both."""
