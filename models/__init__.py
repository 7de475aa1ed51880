"""The model factory: text or a public checkpoint in, a pack out. It never runs on the box."""
