"""What the processes of the soak tell each other while it runs: some numbers in a file that all
have mapped, each written by one of them."""

import mmap
import struct

SLOTS = ("phase", "throttle", "guard_from", "guard_until", "lines_written", "posts", "writer_lag_s",
         "rotations", "runs", "messages",
         "events_0", "lag_s_0", "connects_0", "behind_0",
         "events_1", "lag_s_1", "connects_1", "behind_1")
RUNNING, STOPPING, FINAL = 0, 1, 2


class Control:
    def __init__(self, path, create=False):
        if create:
            with open(path, "wb") as f:
                f.write(b"\0" * 8 * len(SLOTS))
        with open(path, "r+b") as f:
            self._map = mmap.mmap(f.fileno(), 8 * len(SLOTS))

    def __getitem__(self, name):
        return struct.unpack_from("=d", self._map, 8 * SLOTS.index(name))[0]

    def __setitem__(self, name, value):
        struct.pack_into("=d", self._map, 8 * SLOTS.index(name), value)

    def add(self, name, value=1):
        self[name] = self[name] + value
