"""Storage: what people saved, old or new after a power cut, never a mixture."""
