"""The stream of all runs: 2,000 active ones, to 500 clients; nchan has one channel for it."""
import statistics
import time

import procfs
from servers import Load, Nchan, Runstream, wait_until

RUNS = 2000
CLIENTS = 500
FAULTS = ("missing", "repeated", "foreign")
SETTLE_S = 3
IDLE_S = 6  # several looks at each file


class Audience:
    """What the clients of one stream got, and what that cost."""

    def __init__(self, bench, url, lines, *options):
        self.bench = bench
        self.load = Load(bench, url, f"--clients={CLIENTS}", f"--lines={lines}", "--unordered",
                         *options, deadline_s=120)

    def result(self, write, worker_pids, nginx_pids):
        before = [procfs.cpu_s(pids) for pids in (worker_pids, nginx_pids)]
        write()
        result = self.bench.check("all runs", self.load.result())
        received = max(result["lines"], 1)
        result["worker_us"], result["nginx_us"] = (
            (procfs.cpu_s(pids) - was) * 1e6 / received
            for pids, was in zip((worker_pids, nginx_pids), before))
        result["wrong"] = sum(result[fault] for fault in FAULTS)
        return result


def of_nchan(bench):
    """Latency, and a burst with fewer lines, since each costs it as much."""
    server = Nchan(bench)
    seconds = bench.options.latency_s
    bursts = []
    try:
        def publish(name, lines, **how):
            return lambda: bench.write(server.publisher(name), lines, **how)

        slow = Audience(bench, server.url("slow"), 100 * seconds, "--latency").result(
            publish("slow", 100 * seconds, rate=100), [], server.nginx.pids)
        for _ in range(bench.options.repeat):
            name = bench.new_name("burst")
            lines = bench.options.nchan_burst_lines
            bursts.append(Audience(bench, server.url(name), lines).result(
                publish(name, lines, in_flight=100), [], server.nginx.pids))
    finally:
        server.stop()
    return slow, bursts


def idle_percent(bench, url, pids):
    """Of a core, while nothing is written and all clients are there."""
    load = Load(bench, url, f"--clients={CLIENTS}", f"--greeting={RUNS}", "--hold")
    time.sleep(SETTLE_S)
    before, began = procfs.thread_ns(pids), time.monotonic()
    time.sleep(IDLE_S)
    share = procfs.spent_ns(pids, before) / (time.monotonic() - began) / 1e7
    bench.check("all runs", load.result())
    return share


def of_runstream(bench):
    """The same, and what belongs to nobody else: blocks rendered and delivered, and memory."""
    server = Runstream(bench)
    seconds, lines = bench.options.latency_s, bench.options.burst_lines
    greeting = f"--greeting={RUNS}"  # the status of each run: so its end was found before we write
    bursts = []
    try:
        paths = [server.new_run(f"run-{n}") for n in range(RUNS)]
        wait_until(lambda: server.status()["runs"]["total"] == RUNS, "all runs")
        url = server.at("v1/runs/stream/all")
        pids, nginx_pids = server.worker_pids, server.nginx.pids
        memory = [procfs.rss_bytes(pids)]
        slow = Audience(bench, url, 100 * seconds, "--latency", greeting).result(
            lambda: bench.write(paths, 100 * seconds, rate=100), pids, nginx_pids)
        memory.append(procfs.peak_rss_bytes(pids))
        for _ in range(bench.options.repeat):
            audience = Audience(bench, url, lines, greeting)
            rendered = server.counter("blocks_rendered")
            result = audience.result(lambda: bench.write(paths, lines), pids, nginx_pids)
            result["rendered"] = server.counter("blocks_rendered") - rendered
            bursts.append(result)
        memory.append(procfs.peak_rss_bytes(pids))
        idle = idle_percent(bench, url, pids)
    finally:
        server.stop()
    return slow, bursts, idle, [(m - memory[0]) / 1024 / 1024 for m in memory[1:]]


def median(results, key):
    return statistics.median(result[key] for result in results) if results else None


def of_all_runs(bench):
    peer, peer_bursts = of_nchan(bench) if bench.has_nchan else ({}, [])
    if bench.options.others_only:
        return
    slow, bursts, idle, memory = of_runstream(bench)
    what = f"all of {RUNS:,} runs, {CLIENTS} clients"
    for key in ("p50", "p99", "max"):
        bench.figure(f"{what}, latency {key}, 100 lines/s", slow[f"latency_{key}_ms"], "ms",
                     other=peer.get(f"latency_{key}_ms"), beside="nchan")
    rate = median(bursts, "lines_per_s")
    peer_rate = median(peer_bursts, "lines_per_s")
    bench.figure(f"{what}, {bench.options.burst_lines:,} lines at once", rate, "lines/s",
                 8 * peer_rate if peer_rate else None, at_least=True, other=peer_rate,
                 beside="nchan")
    bench.figure(f"{what}, lost or repeated", sum(r["wrong"] for r in bursts), "lines", 0)
    bench.figure(f"{what}, nginx's CPU a line", median(bursts, "nginx_us"), "µs",
                 other=median(peer_bursts, "nginx_us"), beside="nchan")
    bench.figure(f"{what}, workers' CPU a line", median(bursts, "worker_us"), "µs",
                 other=median(bursts, "nginx_us"), beside="nginx before it")
    # Each file is written at once, so that a block of each file is what a worker has to render.
    pieces = RUNS * bench.workers
    bench.figure(f"{what}, blocks rendered", median(bursts, "rendered"), "blocks", 1.5 * pieces,
                 other=RUNS * CLIENTS, beside="delivered, at least")
    bench.figure(f"{what}, workers' CPU while nothing is written", idle, "% of a core")
    bench.figure(f"{what}, memory of the workers, at 100 lines/s", memory[0], "MiB")
    bench.figure(f"{what}, memory of the workers, with the bursts", memory[1], "MiB")
