"""What the environment said when the factory began. The only reader of os.environ."""

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Host:
    """The environment as it was found."""

    variables: Mapping[str, str]
    """Every variable but GIT_*."""
    git_variables: Mapping[str, str]
    """The GIT_* that were taken out: only the user's own configuration is ever read by them."""


def take_host() -> Host:
    """Return the environment, and take every GIT_* out of it: GitPython and children copy it."""
    taken = {name: value for name, value in os.environ.items() if name.startswith("GIT_")}
    for name in taken:
        del os.environ[name]
    return Host(dict(os.environ), taken)
