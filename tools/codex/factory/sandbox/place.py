"""What a sandbox knows of where it is made."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """`machine` as the kernel names it; `is_root`: the command would be; `folder` is where it
    begins; `temporary` is the folder that it has for throw-away files, all to itself."""

    machine: str
    is_root: bool
    folder: str
    temporary: str
