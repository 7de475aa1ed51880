"""Installed packs opened in ONNX Runtime, and the fair queue that feeds them."""
