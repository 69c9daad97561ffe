"""A port offset that nobody else uses: not another test, not another checkout, not the machine."""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

PORTS = (6379, 8085, 8086)
# Below 32768, where the kernel takes the local ports of outgoing connections from, also for 9092.
_OFFSETS = range(20_000, 23_600, 2)


class PortOffset:
    """Holds an offset by a lock on a file until release(), so that tests may run side by side."""

    def __init__(self):
        folder = Path(tempfile.gettempdir()) / f"adtally-test-ports-{os.getuid()}"
        folder.mkdir(exist_ok=True)
        for offset in random.sample(_OFFSETS, len(_OFFSETS)):
            self._lock = open(folder / str(offset), "w", encoding="ascii")
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self._lock.close()
                continue
            if all(_is_free(port + offset) for port in PORTS):
                self.value = offset
                return
            self.release()
        raise RuntimeError(f"no port offset in {_OFFSETS} is free; stop what listens there")

    def release(self):
        self._lock.close()


def _is_free(port):
    with socket.socket() as probe:
        # A connection in TIME_WAIT does not keep a server from listening; a listener does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True
