"""Which virtual environment of Python a program lies in."""

import os


def virtual_environment(program: str) -> str:
    """Return the virtual environment that a program, a link to one or a folder of them lies in.

    Else the path itself. A link in there names a Python that lies elsewhere, and yet it is by
    the link that Python finds its packages.
    """
    for folder in (os.path.dirname(program), os.path.dirname(os.path.dirname(program))):
        if os.path.isfile(os.path.join(folder, "pyvenv.cfg")):
            return folder
    return program
