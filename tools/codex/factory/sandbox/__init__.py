"""How a command is kept to its confinement: a value in, a value out; `process` applies it."""
