"""Words at the door: arguments to values, one call, one answer."""
