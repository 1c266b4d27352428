"""Thousands of streams at once, through nginx: opened, fed, closed, and what each of that takes; and
as many runs, each followed for one client by a single worker."""
import os
import statistics
import time

import procfs
from servers import Load, Runstream, wait_until

STREAMS = 9000  # two descriptors each in nginx, and one in sse_load, of 20,000 that a process has
LINES = 50
RATE = 10
RUNS = 5000


def descriptors(pids):
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)


class Costs:
    """What a group of processes took since it was made."""

    def __init__(self, pids):
        self.pids = pids
        self.cpu_s, self.fds = procfs.cpu_s(pids), descriptors(pids)
        self.rss_bytes = procfs.rss_bytes(pids)

    def cpu(self):
        """Since the last call."""
        now = procfs.cpu_s(self.pids)
        taken, self.cpu_s = now - self.cpu_s, now
        return taken

    def kib(self, count):
        return (procfs.rss_bytes(self.pids) - self.rss_bytes) / 1024 / count

    def descriptors(self):
        return descriptors(self.pids) - self.fds


def streams_at_once(bench):
    server = Runstream(bench)
    try:
        path = server.new_run("many")
        groups = {"workers": Costs(server.worker_pids), "nginx": Costs(server.nginx.pids)}
        began = time.monotonic()
        load = Load(bench, server.url("many", "?wait_s=5"), f"--clients={STREAMS}",
                    f"--lines={LINES}", "--hold", "--latency", deadline_s=180)
        opened_s = time.monotonic() - began
        opening = {name: costs.cpu() for name, costs in groups.items()}
        began = time.monotonic()
        bench.write(path, LINES, rate=RATE)
        load.wait_for("done")
        fed_s = time.monotonic() - began
        feeding = {name: costs.cpu() for name, costs in groups.items()}
        held = {name: (costs.kib(STREAMS), costs.descriptors()) for name, costs in groups.items()}
        began = time.monotonic()
        bench.check("streams", load.result())
        wait_until(lambda: server.counter("clients") == 0, "all streams to be closed", 60)
        closed_s = time.monotonic() - began
        left = {name: costs.descriptors() for name, costs in groups.items()}
    finally:
        server.stop()
    bench.figure(f"{STREAMS:,} streams, all opened after", opened_s, "s")
    bench.figure(f"{STREAMS:,} streams, {LINES} lines at {RATE}/s: all had them after", fed_s, "s")
    bench.figure(f"{STREAMS:,} streams, all closed after", closed_s, "s")
    for name in groups:
        bench.figure(f"{STREAMS:,} streams, {name}' CPU to open one", opening[name] * 1e6 / STREAMS,
                     "µs")
        bench.figure(f"{STREAMS:,} streams, {name}' CPU a line",
                     feeding[name] * 1e6 / STREAMS / LINES, "µs")
        bench.figure(f"{STREAMS:,} streams, {name}' memory a stream", held[name][0], "KiB",
                     2 if name == "workers" else None)
        bench.figure(f"{STREAMS:,} streams, {name}' descriptors", held[name][1], "",
                     STREAMS * 1.1 if name == "workers" else STREAMS * 2.1)
        # What nginx keeps of its own is made as it is needed.
        bench.figure(f"{STREAMS:,} streams, {name}' descriptors left over", left[name], "", 20)


def closing(bench, access):
    """All end at once: seconds, the workers' CPU, and the lines in the log."""
    server = Runstream(bench, extra="log:\n  access: " + ("true" if access else "false"))
    try:
        server.new_run("many")
        load = Load(bench, server.url("many", "?wait_s=5"), f"--clients={STREAMS}", "--lines=1",
                    "--hold", deadline_s=180)
        costs = Costs(server.worker_pids)
        began = time.monotonic()
        load.stop()
        wait_until(lambda: server.counter("clients") == 0, "all streams to be closed", 60)
        took_s, cpu_s = time.monotonic() - began, costs.cpu()
        with open(server.daemon.log_path, encoding="utf-8") as log:
            lines = log.read().count("event=stream_ended")
    finally:
        server.stop()
    return took_s, cpu_s, lines


def access_lines(bench):
    figures = {access: [] for access in (True, False)}
    for _ in range(bench.options.repeat):
        for access in figures:
            figures[access].append(closing(bench, access))
    took, cpu = ({access: statistics.median(run[n] for run in runs)
                  for access, runs in figures.items()} for n in (0, 1))
    beside = "without access lines"
    bench.figure(f"{STREAMS:,} streams that end at once: over after", took[True], "s",
                 other=took[False], beside=beside)
    bench.figure(f"{STREAMS:,} streams that end at once: the workers' CPU for one",
                 cpu[True] * 1e6 / STREAMS, "µs", other=cpu[False] * 1e6 / STREAMS, beside=beside)
    bench.figure(f"{STREAMS:,} streams that end at once: access lines missing",
                 max(STREAMS - run[2] for run in figures[True]), "", 0)


def runs_at_once(bench):
    """One worker: its descriptors, and the time from a line to its client."""
    workers, bench.workers = bench.workers, 1
    server = Runstream(bench)
    bench.workers = workers
    try:
        paths = [server.new_run(f"run-{n}") for n in range(RUNS)]
        costs = Costs(server.worker_pids)
        load = Load(bench, server.url("run-{n}", "?wait_s=20"), f"--clients={RUNS}", "--lines=4",
                    "--unchecked", "--hold", "--latency", deadline_s=180)
        costs.cpu()
        idle_s = 5
        time.sleep(idle_s)
        idle = costs.cpu() / idle_s
        for first in (1, 3):  # round and round
            bench.write(paths, 2 * RUNS, rate=RUNS // 2, first=first)
        load.wait_for("done")
        kib, fds, cpu_s = costs.kib(RUNS), costs.descriptors(), costs.cpu()
        result = bench.check("runs", load.result())
    finally:
        server.stop()
    bench.figure(f"{RUNS:,} runs, one worker: memory a client", kib, "KiB", 8)
    bench.figure(f"{RUNS:,} runs, one worker: descriptors", fds, "", 19000)
    bench.figure(f"{RUNS:,} runs, one worker: CPU while idle", idle * 100, "% of a core")
    bench.figure(f"{RUNS:,} runs, one worker: CPU a line", cpu_s * 1e6 / (4 * RUNS), "µs")
    bench.figure(f"{RUNS:,} runs, one worker: latency p50", result["latency_p50_ms"], "ms")
    bench.figure(f"{RUNS:,} runs, one worker: latency p99", result["latency_p99_ms"], "ms")


def many_streams(bench):
    streams_at_once(bench)
    access_lines(bench)
    runs_at_once(bench)
