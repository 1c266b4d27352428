"""What slow and stuck clients cost the others: latency with and without them, in alternation."""
import select
import socket
import statistics
import threading

import procfs
from servers import Load, Runstream, wait_until

OTHERS = 1000
SLOW = 100          # half of them take nothing, half a little
SLOW_BYTES = 4096   # at a time,
SLOW_EVERY_S = 0.25  # each so often
WINDOW_BYTES = 4096
BACKLOG_LINES = 100000  # of the run, from whose start they read
RATE = 20
SECONDS = 8


class SlowClients:
    """Their connections, and a thread that reads a little."""

    def __init__(self, port, name):
        self.sockets = []
        for _ in range(SLOW):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW_BYTES)
            s.connect(("127.0.0.1", port))
            s.sendall(f"GET /api/v1/runs/{name}/stream?from=start HTTP/1.1\r\nHost: localhost\r\n"
                      "Accept: text/event-stream\r\n\r\n".encode())
            self.sockets.append(s)
        self.taken = 0
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        readers = self.sockets[SLOW // 2:]
        while not self.is_over.wait(SLOW_EVERY_S):
            for s in select.select(readers, [], [], 0)[0]:
                self.taken += len(s.recv(SLOW_BYTES))

    def close(self):
        self.is_over.set()
        self.thread.join()
        for s in self.sockets:
            s.close()


def latency_once(bench, server, name, first):
    lines = RATE * SECONDS
    load = Load(bench, server.url(name, "?from=end"), f"--clients={OTHERS}", f"--lines={lines}",
                "--unchecked", "--latency", deadline_s=SECONDS + 60)
    bench.write(server.path_of(name), lines, rate=RATE, first=first)
    result = load.result()
    if result["lines"] != OTHERS * lines:
        bench.faults += 1
        bench.note(f"slow: WRONG: {OTHERS * lines - result['lines']} lines missing")
    return result


def slow_clients(bench):
    server = Runstream(bench)
    results = {False: [], True: []}
    grown_kib = []
    try:
        name = "slow"
        bench.write(server.new_run(name), BACKLOG_LINES)
        first = BACKLOG_LINES + 1
        for turn in range(2 * bench.options.repeat + 1):
            has_slow = turn % 2 == 1
            before = procfs.rss_bytes(server.worker_pids)
            slow = SlowClients(server.nginx.port, name) if has_slow else None
            try:
                if slow:
                    wait_until(lambda: server.counter("clients") == SLOW, "slow clients")
                    grown_kib.append((procfs.rss_bytes(server.worker_pids) - before) / 1024 / SLOW)
                result = latency_once(bench, server, name, first)
            finally:
                if slow:
                    slow.close()
            first += RATE * SECONDS
            if turn > 0:  # the first warms up
                results[has_slow].append(result)
            wait_until(lambda: server.counter("clients") == 0, "all clients to be gone")
    finally:
        server.stop()
    for key in ("p50", "p99"):
        without, beside = (statistics.median(r[f"latency_{key}_ms"] for r in results[has_slow])
                           for has_slow in (False, True))
        bench.figure(f"latency {key} of {OTHERS:,} clients, without slow ones", without, "ms")
        bench.figure(f"latency {key} of {OTHERS:,}, beside {SLOW} slow or stuck", beside, "ms")
        bench.figure(f"latency {key}, times what it is without", beside / without, "×",
                     1.5 if key == "p99" else None)
    bench.figure("memory of workers, a slow client", max(grown_kib), "KiB", 192)
