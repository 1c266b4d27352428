"""Recorded events: 10 producers post to one run, which 100 clients watch, for both durabilities."""
import json
import os
import statistics
import subprocess
import time
import urllib.request

import procfs
from servers import Load, Runstream

PRODUCERS = 10
CLIENTS = 100
RATE = 1000
SYNCS_S = 1
GREETING = 2  # the state of a new run, and the event of its start


def syncs_per_s(folder):
    """What this disk does alone: a line appended and synced, one after the other."""
    path = os.path.join(folder, "syncs")
    line = b"x" * 200 + b"\n"
    count, began = 0, time.monotonic()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        while time.monotonic() < began + SYNCS_S:
            os.write(fd, line)
            os.fdatasync(fd)
            count += 1
    finally:
        os.close(fd)
        os.unlink(path)
    return count / (time.monotonic() - began)


def new_run(server):
    request = urllib.request.Request(server.at("runs"), data=b'{"total_units":10}', method="POST",
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["run_id"]


def record(bench, server, events, rate):
    """Returns what the producers saw, and what the clients did."""
    run = new_run(server)
    load = Load(bench, server.at(f"runs/{run}/stream?wait_s=5"), f"--clients={CLIENTS}",
                f"--lines={events}", f"--greeting={GREETING}", "--unordered", "--latency")
    jobs, cpu = server.counter("recording_jobs"), procfs.cpu_s(server.worker_pids)
    producers = subprocess.run(
        [bench.program("tests/bench/event_load"), f"--producers={PRODUCERS}", f"--events={events}",
         f"--rate={rate}", server.at(f"runs/{run}/events")], stdout=subprocess.PIPE, check=True)
    clients = bench.check("recording", load.result())
    result = json.loads(producers.stdout)
    result["cpu_us"] = (procfs.cpu_s(server.worker_pids) - cpu) * 1e6 / events
    result["of_a_job"] = events / max(server.counter("recording_jobs") - jobs, 1)
    return result, clients


def record_all(bench, durability):
    """Several times each: at the rate, as fast as can be, and the disk alone."""
    paced, fast, syncs = [], [], []
    server = Runstream(bench, extra="recording:\n  allow_from: 127.0.0.0/8\n"
                                    f"  durability: {durability}\n")
    try:
        for _ in range(bench.options.repeat):
            syncs.append(syncs_per_s(server.runs_dir))
            paced.append(record(bench, server, RATE * bench.options.record_s, RATE))
            fast.append(record(bench, server, RATE * bench.options.record_s, 0))
    finally:
        server.stop()
    return paced, fast, statistics.median(syncs)


def recording(bench):
    if bench.options.others_only:
        return
    for durability in ("written", "synced"):
        paced, fast, syncs = record_all(bench, durability)

        def median(results, key, who=0):
            return statistics.median(result[who][key] for result in results)

        what = f"recording, {durability}"
        alone = {"other": syncs, "beside": "fdatasync alone"}
        bench.figure(f"{what}, {PRODUCERS} producers, {CLIENTS} clients",
                     median(fast, "events_per_s"), "events/s", RATE, at_least=True, **alone)
        bench.figure(f"{what}, events of a write", median(fast, "of_a_job"), "events")
        bench.figure(f"{what}, as fast, a POST's p50", median(fast, "latency_p50_ms"), "ms")
        bench.figure(f"{what}, workers' CPU an event", median(fast, "cpu_us"), "µs")
        for key, target in (("p50", 5), ("p99", None), ("max", None)):
            bench.figure(f"{what}, at {RATE:,}/s, a POST's {key}",
                         median(paced, f"latency_{key}_ms"), "ms", target,
                         other=1000 / syncs if key == "p50" else None, beside="fdatasync alone")
        for key in ("p50", "p99"):
            bench.figure(f"{what}, at {RATE:,}/s, to a client {key}",
                         median(paced, f"latency_{key}_ms", 1), "ms")
