"""The runs root: the only folder that the factory writes."""
