"""Who may change the box: whoever knows the keeper's PIN, or has the machine in hand: docs/decisions/0026-keeper.md."""
