"""How much memory this process may still take, and a refusal before it is too late."""

from __future__ import annotations

import os
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_V1 = _GROUPS / "memory"


def available_bytes() -> int | None:
    """Return what the machine has available and the cgroups leave, or None if nothing says.

    Caches that the system can drop count as available.
    """
    rooms = [_machine_room(), *_group_rooms()]
    known = [room for room in rooms if room is not None]
    return max(0, min(known)) if known else None


def check_memory(needed: int, what: str, advice: str) -> None:
    """Raise a MemoryError that says `what` is `needed`, if there is less than that."""
    available = available_bytes()
    if available is not None and needed > available:
        raise MemoryError(
            f"{what} needs about {_shown(needed)}, but {_shown(available)} are available. {advice}"
        )


def _machine_room() -> int | None:
    for line in (_read(Path("/proc/meminfo")) or "").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _group_rooms() -> list[int | None]:
    """Return what each limit on the way to the root leaves: version 2, then version 1."""
    rooms: list[int | None] = [_room(_V1, "memory.limit_in_bytes", "memory.usage_in_bytes")]
    own = (_read(Path("/proc/self/cgroup")) or "").rpartition("::")[2].strip().lstrip("/")
    folder = _GROUPS / own
    while folder.is_relative_to(_GROUPS):
        rooms.append(_room(folder, "memory.max", "memory.current"))
        folder = folder.parent
    return rooms


def _room(folder: Path, limit_name: str, usage_name: str) -> int | None:
    limit, usage = _read(folder / limit_name), _read(folder / usage_name)
    if limit is None or usage is None or not limit.strip().isdigit():  # "max": no limit
        return None
    droppable = 0
    for line in (_read(folder / "memory.stat") or "").splitlines():
        name, _, value = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file"):
            droppable = int(value)
    return int(limit) - int(usage) + droppable


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


def _shown(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"
