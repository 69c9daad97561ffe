"""One owner for each folder of data. A second Kafka or Redis on the same files would destroy them,
and neither of the two looks in time; other ports do not keep them apart.

The lock (flock, on the file LOCK in the folder) is the kernel's: it ends with the last process that
has it open, however that ends, so nothing is left to be cleaned up. Children to which the file is
handed keep it too: a launcher that was killed leaves servers behind that still write there.
"""

import fcntl
import os
import pathlib


class CannotStart(RuntimeError):
    """One line with the remedy."""


def lock_folder(directory):
    """Makes the folder and locks it; the open file holds the lock until it is closed here and in
    all children that were given it (pass_fds)."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    file = open(directory / "LOCK", "ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as reason:
        who = _holders(file)
        file.close()
        raise CannotStart(f"{directory} is in use by {who}; stop it (./dev down, or kill), or use "
                          "another folder with --data-dir and other ports with "
                          "--port-offset") from reason
    return file


def _holders(file):
    wanted = os.fstat(file.fileno())
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        if int(process.name) != os.getpid() and _has_open(process, wanted):
            found.append((int(process.name), _name(process)))
    if not found:
        return "a process of another user"
    return "process " + ", ".join(f"{pid} ({name})" for pid, name in sorted(found))


def _has_open(process, wanted):
    try:
        descriptors = list((process / "fd").iterdir())
    except OSError:
        return False
    for each in descriptors:
        try:
            if os.path.samestat(each.stat(), wanted):
                return True
        except OSError:
            continue
    return False


def _name(process):
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "?"
