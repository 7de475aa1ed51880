"""Advice: the right page of the knowledge base, with its sources, or an honest “I do not know”."""
