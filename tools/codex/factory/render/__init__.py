"""Pens: values in, text or tables out. Never prints, never writes."""
