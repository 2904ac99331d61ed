"""What must hold: observers that look on and never interfere."""
