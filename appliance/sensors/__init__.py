"""What sensors say. The sensor node itself comes later: readings come from files until then."""
