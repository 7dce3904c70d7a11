"""What must hold for whatever hypothesis can think of; tests/torture/ asks the same far longer."""
