"""The appliance: translation, drafting and advice from models on the box. No HTML, no network."""

__version__ = "0.1.0"
