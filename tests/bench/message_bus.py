"""A message bus of 100 MB: what connecting to it, an entry more, looking at it, and all of it cost."""
import os
import statistics
import subprocess
import time

import procfs
from servers import Load, NullPeers, Runstream

ENTRY_BYTES = 1000  # with its front matter
HEAD_BYTES = 127    # of that
CLIENTS = 100
LAST = 20
IDLE_S = 5
POLL_MS = 100  # as shipped: the last entry is whole when it has rested for one look
REST_S = 2     # after which an entry is old to everybody


def make_bus(bench, server, project, bus_bytes):
    """Returns its path, and how many entries it has."""
    path = server.new_bus(project)
    entries = bus_bytes // ENTRY_BYTES
    bench.write(path, entries, "--messages", line_bytes=ENTRY_BYTES - HEAD_BYTES - 1)
    return path, entries


def stream(server, project, query=""):
    return server.at(f"projects/{project}/messages/stream{query}")


def greet(path):
    """An entry that is no line of ours: whoever got it is at the end of the bus."""
    with open(path, "ab") as file:
        file.write(b"[2026-01-01 00:00:00] INFO: hello\n")


def read_s(path):
    """The time in which this machine reads the file, its pages in memory."""
    began = time.monotonic()
    with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as cat:
        subprocess.run(["wc", "-l"], stdin=cat.stdout, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - began


def last_ms(bench, server, project):
    """From the request to the last of the newest entries."""
    load = Load(bench, stream(server, project), f"--lines={LAST}", "--unchecked", "--settle-ms=0")
    return load.result()["asked_to_last_s"] * 1000


def connecting(bench):
    """The first client of a worker that does not follow the bus yet, one more, and of a small bus."""
    times = []
    for _ in range(bench.options.repeat):
        server = Runstream(bench)
        try:
            path, _ = make_bus(bench, server, "large", bench.options.bus_mb * 1000000)
            make_bus(bench, server, "small", 100 * ENTRY_BYTES)
            time.sleep(REST_S)
            reading = read_s(path) * 1000
            small = last_ms(bench, server, "small")
            first = last_ms(bench, server, "large")
            # So many that each worker has some, and with them what it knows of the bus.
            stay = Load(bench, stream(server, "large"), f"--clients={8 * bench.workers}",
                        f"--lines={LAST}", "--unchecked", "--hold")
            stay.wait_for("done")
            second = statistics.median(last_ms(bench, server, "large") for _ in range(5))
            bench.check("bus", stay.result())
            times.append((reading, small, first, second))
        finally:
            server.stop()
    reading, small, first, second = map(statistics.median, zip(*times))
    what = f"bus of {bench.options.bus_mb} MB"
    bench.figure(f"{what}, last {LAST} messages, first client", first, "ms", other=reading,
                 beside="cat | wc")
    bench.figure(f"{what}, last {LAST} messages, one more", second, "ms", 3 * small + 1, other=small,
                 beside="bus of 100 kB")


def growing(bench):
    """One entry more, to all clients: on a large bus and on a small one."""
    seconds = bench.options.latency_s
    results = {}
    server = Runstream(bench)
    try:
        for project, size in (("large", bench.options.bus_mb * 1000000), ("small", 100000)):
            path, entries = make_bus(bench, server, project, size)
            greet(path)
            load = Load(bench, stream(server, project, "?tail=1"), f"--clients={CLIENTS}",
                        f"--lines={10 * seconds}", "--greeting=1", "--latency")
            before = procfs.thread_ns(server.worker_pids)
            bench.write(path, 10 * seconds, "--messages", rate=10)
            results[project] = bench.check("bus", load.result())
            results[project]["cpu_us"] = procfs.spent_ns(server.worker_pids, before) / 1000 / (
                10 * seconds)
    finally:
        server.stop()
    large, small = results["large"], results["small"]
    what = f"bus of {bench.options.bus_mb} MB, {CLIENTS} clients"
    for key, target in (("p50", POLL_MS + 5), ("p99", None)):
        bench.figure(f"{what}, an entry's latency {key}", large[f"latency_{key}_ms"], "ms", target,
                     other=small[f"latency_{key}_ms"], beside="bus of 100 kB")
    bench.figure(f"{what}, workers' CPU an entry", large["cpu_us"], "µs", 2 * small["cpu_us"],
                 other=small["cpu_us"], beside="bus of 100 kB")


def look_us(bench, bus_bytes):
    """Of one look at a bus that does not change, all clients told of nothing."""
    server = Runstream(bench, inotify=False)
    try:
        path, _ = make_bus(bench, server, "idle", bus_bytes)
        greet(path)
        load = Load(bench, stream(server, "idle", "?tail=1"), f"--clients={CLIENTS}", "--greeting=1",
                    "--hold")
        time.sleep(REST_S)
        before, began = procfs.thread_ns(server.worker_pids), time.monotonic()
        time.sleep(IDLE_S)
        used = procfs.spent_ns(server.worker_pids, before)
        looks = (time.monotonic() - began) * 1000 / POLL_MS * bench.workers
        bench.check("bus", load.result())
    finally:
        server.stop()
    return used / 1000 / looks


def looking(bench):
    large, small = look_us(bench, bench.options.bus_mb * 1000000), look_us(bench, 100000)
    bench.figure(f"bus of {bench.options.bus_mb} MB, a look (polling)", large, "µs", 2 * small + 20,
                 other=small, beside="bus of 100 kB")


def reading(bench):
    """All of it to one client; the null peer sends as many events of the same size."""
    results, reads = [], []
    server = Runstream(bench)
    try:
        path, entries = make_bus(bench, server, "all", bench.options.bus_mb * 1000000)
        file_bytes = os.path.getsize(path)
        for _ in range(bench.options.repeat):
            reads.append(read_s(path))
            results.append(bench.check("bus", Load(bench, stream(server, "all", "?from=start"),
                                                   f"--lines={entries}").result()))
    finally:
        server.stop()
    event_bytes = results[0]["body_bytes"] // max(results[0]["lines"], 1)
    block = min(entries, 10000)
    peer = NullPeers(bench, f"--lines={block}", f"--event-bytes={event_bytes}",
                     f"--repeats={entries // block}")
    try:
        others = [Load(bench, peer.url, f"--lines={entries // block * block}", "--unchecked").result()
                  for _ in range(bench.options.repeat)]
    finally:
        peer.stop()

    def sent(of):
        return statistics.median(r["body_bytes"] / r["asked_to_last_s"] for r in of) / 1e6

    what = f"bus of {bench.options.bus_mb} MB, all of it"
    seconds = statistics.median(r["asked_to_last_s"] for r in results)
    bench.figure(f"{what}, bytes of the file", file_bytes / seconds / 1e6, "MB/s",
                 other=file_bytes / statistics.median(reads) / 1e6, beside="cat | wc")
    bench.figure(f"{what}, bytes of events", sent(results), "MB/s", other=sent(others),
                 beside="null peer")
    bench.figure(f"{what}, entries", entries / seconds, "a second")


def message_bus(bench):
    if bench.options.others_only:
        return
    connecting(bench)
    growing(bench)
    looking(bench)
    reading(bench)
