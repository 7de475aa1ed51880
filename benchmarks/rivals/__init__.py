"""Engines that people would use instead, each in a process of its own: a JSON object a line in, one back."""
