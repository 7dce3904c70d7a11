"""What hostile workers hand in, by name."""
