#!/usr/bin/env python3
"""Measures runstream beside others on this machine, and says where each figure stands."""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import procfs
import servers
from discovery_cost import discovery
from many_streams import many_streams
from message_bus import message_bus
from of_all_runs import of_all_runs
from recording import recording
from slow_clients import slow_clients
from servers import Failed, Load, Nchan, NullPeers, Runstream

LINE_BYTES = 120
IDLE_CLIENTS = 5000
IDLE_LINES = 100  # that each received before it became idle
FAULTS = ("missing", "repeated", "disordered", "foreign")


class Bench:
    """Where things are, what was asked for, and the figures so far."""

    def __init__(self, options):
        self.builddir = options.builddir
        self.workers = options.workers
        self.nginx_workers = options.nginx_workers
        self.buffer_size = options.fastcgi_buffer_size
        self.options = options
        self.folder = tempfile.mkdtemp(prefix="runstream-bench-")
        self.loads = []
        self.figures = []
        self.faults = 0
        self.count = 0

    def program(self, name):
        path = os.path.join(self.builddir, name)
        if not os.access(path, os.X_OK):
            raise Failed(f"{path} is missing: run it by `make bench`")
        return os.path.abspath(path)

    def new_folder(self, name):
        self.count += 1
        path = os.path.join(self.folder, f"{name}-{self.count}")
        os.mkdir(path)
        return path

    def new_name(self, name):
        self.count += 1
        return f"{name}-{self.count}"

    def write(self, target, lines, *options, rate=0, in_flight=1, first=1, line_bytes=LINE_BYTES):
        """target: a URL, or the path of a file, or several."""
        subprocess.run([self.program("tests/bench/log_writer"), f"--lines={lines}",
                        f"--rate={rate}", f"--bytes={line_bytes}", f"--in-flight={in_flight}",
                        f"--first={first}", *options,
                        *([target] if isinstance(target, str) else target)], check=True)

    def note(self, text):
        print(f"# {text}", flush=True)

    def figure(self, what, value, unit, target=None, at_least=False, other=None, beside=None):
        """One row. A target is a number in the same unit; the verdict is the ratio to it.
        other is the same figure of beside, another server."""
        row = {"what": what, "value": value, "unit": unit, "other": other, "beside": beside,
               "target": target, "at_least": at_least}
        if target is not None:
            row["met"] = value >= target if at_least else value <= target
            row["ratio"] = value / target if target else None
        self.figures.append(row)
        print(format_row(row), flush=True)

    def check(self, what, result):
        """Counts what a load generator found wrong; a figure says it when there is any."""
        wrong = {name: result[name] for name in
                 (*FAULTS, "gaps", "refusals", "refused_connections", "ended_early")
                 if result[name]}
        if result["timed_out"]:
            wrong["timed_out"] = 1
        if wrong:
            self.faults += 1
            self.note(f"{what}: WRONG: {json.dumps(wrong)}")
        return result

    def close(self):
        for load in self.loads:
            load.stop()
        if self.options.keep:
            self.note(f"kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


def number(value):
    if value is None:
        return ""
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"


def format_row(row):
    target = verdict = beside = ""
    if row["target"] is not None:
        target = f"{'≥' if row['at_least'] else '≤'} {number(row['target'])}"
        verdict = "met" if row["met"] else "MISSED"
        if row["ratio"] is not None:
            verdict += f", {row['ratio']:.2f} of it"
    if row["other"] is not None:
        beside = f"{row['beside']} {number(row['other'])}"
    return (f"{row['what']:<52} {number(row['value']):>11} {row['unit']:<8} "
            f"{target:<11} {verdict:<20} {beside}").rstrip()


def median(results, key):
    return statistics.median(result[key] for result in results)


# --- latency: 100 clients, 100 lines a second ----------------------------------------------------

def latency_of(bench, make_target):
    """Several runs, each on a run (or channel) of its own; make_target gives url and target."""
    results = []
    seconds = bench.options.latency_s
    for _ in range(bench.options.repeat):
        url, target = make_target()
        load = Load(bench, url, "--clients=100", f"--lines={100 * seconds}", "--latency",
                    deadline_s=seconds + 30)
        bench.write(target, 100 * seconds, rate=100)
        results.append(bench.check("latency", load.result()))
    return {key: median(results, f"latency_{key}_ms") for key in ("p50", "p99", "max")}


def runstream_latency(bench, inotify):
    server = Runstream(bench, inotify=inotify)
    try:
        def target():
            name = bench.new_name("run")
            log_path = server.new_run(name)
            return server.url(name, "?wait_s=5"), log_path
        return latency_of(bench, target)
    finally:
        server.stop()


def nchan_latency(bench):
    server = Nchan(bench)
    try:
        def target():
            name = bench.new_name("channel")
            return server.url(name), server.publisher(name)
        return latency_of(bench, target)
    finally:
        server.stop()


def latency(bench):
    peer = nchan_latency(bench) if bench.has_nchan else dict.fromkeys(("p50", "p99", "max"))
    if bench.options.others_only:
        return print_other(bench, "nchan", "latency", peer)
    mine = runstream_latency(bench, inotify=True)
    polling = runstream_latency(bench, inotify=False)
    for key, target in (("p50", 1), ("p99", 2.5), ("max", None)):
        bench.figure(f"latency {key}, 100 clients, 100 lines/s, inotify", mine[key], "ms", target,
                     other=peer[key], beside="nchan")
    for key, target in (("p50", None), ("p99", 105), ("max", None)):
        bench.figure(f"latency {key}, without inotify (polling, 100 ms)", polling[key], "ms",
                     target)


def print_other(bench, name, what, figures):
    bench.note(f"{name}: {what}: " + ", ".join(f"{k} {number(v)}" for k, v in figures.items()))


# --- burst: 20,000 lines at once to 1,000 clients ------------------------------------------------

def burst_once(bench, url, write, lines, worker_pids, nginx_pids):
    rss_before = [procfs.rss_bytes(pids) for pids in (worker_pids, nginx_pids)]
    load = Load(bench, url, "--clients=1000", f"--lines={lines}", deadline_s=180)
    workers_before, nginx_before = procfs.cpu_s(worker_pids), procfs.cpu_s(nginx_pids)
    write()
    result = bench.check("burst", load.result())
    received = max(result["lines"], 1)
    result["worker_us"] = (procfs.cpu_s(worker_pids) - workers_before) * 1e6 / received
    result["nginx_us"] = (procfs.cpu_s(nginx_pids) - nginx_before) * 1e6 / received
    result["load_us"] = result["cpu_s"] * 1e6 / received
    result["wrong"] = sum(result[fault] for fault in FAULTS)
    result["event_bytes"] = result["body_bytes"] / received
    result["worker_kib"], result["nginx_kib"] = (
        (procfs.peak_rss_bytes(pids) - before) / 1024 / 1000
        for pids, before in zip((worker_pids, nginx_pids), rss_before))
    return result


def runstream_burst(bench):
    server = Runstream(bench)
    results = []
    try:
        for _ in range(bench.options.repeat):
            name = bench.new_name("run")
            log_path = server.new_run(name)
            results.append(burst_once(bench, server.url(name, "?wait_s=5"),
                                      lambda: bench.write(log_path, bench.options.burst_lines),
                                      bench.options.burst_lines, server.worker_pids,
                                      server.nginx.pids))
    finally:
        server.stop()
    return results


def nchan_burst(bench):
    """One connection that publishes in order, its requests in flight: as fast as nchan takes
    them. With fewer lines, since each costs it as much: lines/s are compared."""
    server = Nchan(bench)
    lines = bench.options.nchan_burst_lines
    results = []
    try:
        for _ in range(bench.options.repeat):
            name = bench.new_name("channel")
            results.append(burst_once(bench, server.url(name),
                                      lambda: bench.write(server.publisher(name), lines,
                                                          in_flight=100),
                                      lines, [], server.nginx.pids))
    finally:
        server.stop()
    return results


def burst(bench):
    peer = nchan_burst(bench) if bench.has_nchan else None
    keys = ("lines_per_s", "nginx_us", "load_us", "wrong", "event_bytes", "nginx_kib")
    others = {key: median(peer, key) if peer else None for key in keys}
    if bench.options.others_only:
        return print_other(bench, "nchan", "burst", others)
    mine = runstream_burst(bench)
    rate = median(mine, "lines_per_s")
    bench.figure(f"burst, {bench.options.burst_lines:,} lines to 1,000 clients", rate, "lines/s",
                 other=others["lines_per_s"], beside="nchan")
    if peer:
        bench.figure("burst, times nchan's", rate / others["lines_per_s"], "×", 8, at_least=True)
    bench.figure("burst, lost or repeated or out of order", sum(r["wrong"] for r in mine), "lines", 0,
                 other=others["wrong"], beside="nchan")
    bench.figure("burst, bytes of an event", median(mine, "event_bytes"), "bytes",
                 other=others["event_bytes"], beside="nchan")
    bench.figure("burst, nginx's CPU a line", median(mine, "nginx_us"), "µs",
                 other=others["nginx_us"], beside="nchan")
    bench.figure("burst, workers' CPU a line", median(mine, "worker_us"), "µs",
                 median(mine, "nginx_us") / 3)
    # Of the first burst: its processes had not been stretched by another.
    bench.figure("burst, nginx's memory a client at its peak", mine[0]["nginx_kib"], "KiB",
                 other=peer[0]["nginx_kib"] if peer else None, beside="nchan")
    bench.figure("burst, workers' memory a client at its peak", mine[0]["worker_kib"], "KiB")
    bench.figure("burst, the load generator's CPU a line", median(mine, "load_us"), "µs",
                 other=others["load_us"], beside="nchan")


# --- memory: 5,000 idle clients ------------------------------------------------------------------

def idle_growth(bench, url, write, *pid_lists):
    """Growth of each list of processes for a client, in KiB, while all are connected and have
    received the lines that write(lines) wrote."""
    before = [procfs.rss_bytes(pids) for pids in pid_lists]
    load = Load(bench, url, f"--clients={IDLE_CLIENTS}", f"--lines={IDLE_LINES}", "--hold",
                deadline_s=120)
    write(IDLE_LINES)
    load.wait_for("done")
    after = [procfs.rss_bytes(pids) for pids in pid_lists]
    result = load.result()
    bench.check("memory", result)
    return [(b - a) / 1024 / IDLE_CLIENTS for a, b in zip(before, after)]


def nchan_memory(bench):
    server = Nchan(bench)
    try:
        return idle_growth(bench, server.url("channel"),
                           lambda lines: bench.write(server.publisher("channel"), lines),
                           server.nginx.pids)[0]
    finally:
        server.stop()


def memory(bench):
    peer = nchan_memory(bench) if bench.has_nchan else None
    if bench.options.others_only:
        return print_other(bench, "nchan", "memory", {"KiB a client, in nginx": peer})
    server = Runstream(bench)
    try:
        log_path = server.new_run("run-one")
        worker, nginx = idle_growth(bench, server.url("run-one", "?wait_s=5"),
                                    lambda lines: bench.write(log_path, lines),
                                    server.worker_pids, server.nginx.pids)
    finally:
        server.stop()
    bench.figure(f"memory a client in workers, {IDLE_CLIENTS:,} on one run", worker, "KiB", 2)
    bench.figure(f"memory a client in nginx, {IDLE_CLIENTS:,} on one run", nginx, "KiB",
                 other=peer, beside="nchan")
    server = Runstream(bench)
    try:
        # Each has its lines before its client comes: 5,000 writers are another benchmark.
        log_paths = [server.new_run(f"run-{n}") for n in range(IDLE_CLIENTS)]
        bench.write(log_paths[0], IDLE_LINES)
        for path in log_paths[1:]:
            shutil.copyfile(log_paths[0], path)
        worker, _ = idle_growth(bench, server.url("run-{n}", "?wait_s=20"), lambda _: None,
                                server.worker_pids, server.nginx.pids)
    finally:
        server.stop()
    bench.figure(f"memory a client in workers, one on each of {IDLE_CLIENTS:,} runs", worker, "KiB",
                 8)


# --- catch-up: a long log to one client -----------------------------------------------------------

def catchup(bench):
    lines = bench.options.catchup_mib * 1024 * 1024 // (LINE_BYTES + 1)
    if bench.options.others_only:
        peer = null_catchup(bench, bench.options.event_bytes, lines)
        return print_other(bench, "null peer", "catch-up", {"MB/s": median_mb_per_s(peer)})
    results = []
    server = Runstream(bench)
    try:
        log_path = server.new_run("long")
        bench.write(log_path, lines)
        for _ in range(bench.options.repeat):
            load = Load(bench, server.url("long", "?wait_s=5"), f"--lines={lines}", deadline_s=300)
            results.append(bench.check("catch-up", load.result()))
    finally:
        server.stop()
    event_bytes = max(results[0]["body_bytes"] // max(results[0]["lines"], 1), 1)
    peer = null_catchup(bench, event_bytes, lines)
    mine, most = median_mb_per_s(results), median_mb_per_s(peer)
    bench.figure(f"catch-up of {bench.options.catchup_mib:,} MiB, by one client", mine, "MB/s",
                 other=most, beside="null peer")
    bench.figure("catch-up, of what nginx can proxy", mine / most, "×", 0.5, at_least=True)


def median_mb_per_s(results):
    return statistics.median(r["body_bytes"] / r["asked_to_last_s"] for r in results) / 1e6


def null_catchup(bench, event_bytes, lines):
    block = min(lines, 10000)
    repeats = max(lines // block, 1)
    server = NullPeers(bench, f"--lines={block}", f"--event-bytes={event_bytes}",
                       f"--repeats={repeats}")
    try:
        return [Load(bench, server.url, f"--lines={block * repeats}", "--unchecked",
                     deadline_s=300).result()
                for _ in range(bench.options.repeat)]
    finally:
        server.stop()


# --- resume by an id at the end of a log -----------------------------------------------------------

def resume_ms(bench, url, last_event_id):
    """From the request to the first line after the id."""
    load = Load(bench, url, "--lines=1", "--unchecked", "--settle-ms=0",
                f"--last-event-id={last_event_id}")
    return load.result()["first_line_ms"]


def resume(bench):
    server = Runstream(bench)
    asks = []
    try:
        for name, log_bytes in (("small", 1024), ("large", bench.options.resume_mib << 20)):
            bench.write(server.new_run(name), log_bytes // (LINE_BYTES + 1))
            tail = Load(bench, server.url(name, "?tail=2&wait_s=5"), "--lines=2", "--unchecked")
            asks.append((bench, server.url(name), tail.result()["first_id"]))
        # In turn, so that whatever else the machine does meets both alike.
        times = [[resume_ms(*ask) for ask in asks] for _ in range(bench.options.repeat * 10)]
    finally:
        server.stop()
    small, large = map(statistics.median, zip(*times))
    bench.figure(f"resume by id at the end of {bench.options.resume_mib:,} MiB, first line", large,
                 "ms", other=small, beside="1 KiB log")
    # "As fast as": to the noise of a fraction of a millisecond.
    bench.figure("resume, times that in a 1 KiB log", large / small, "×", 1.25)


# --- resume by a line number: at most one pass over the file ---------------------------------------------

def count_ms(path):
    """A pass over the file by who only counts its lines."""
    began = time.monotonic()
    subprocess.run(["wc", "-l", path], check=True, stdout=subprocess.DEVNULL)
    return (time.monotonic() - began) * 1000


def resume_by_number(bench):
    """Each time another run, whose lines nobody has counted yet: hard links to one file, in cache."""
    rounds = bench.options.repeat
    lines = (bench.options.resume_mib << 20) // (LINE_BYTES + 1)
    server = Runstream(bench)
    times = []
    try:
        first = server.new_run("numbers")
        bench.write(first, lines)
        for number in range(2 * rounds):
            path = server.new_run(f"numbers-{number}")
            os.link(first, path + ".new")
            os.rename(path + ".new", path)
        for number in range(rounds):
            took = [count_ms(first)]
            for clients, run in ((1, 2 * number), (100, 2 * number + 1)):
                before = procfs.cpu_s(server.worker_pids)
                load = Load(bench, server.url(f"numbers-{run}", "?wait_s=5"), "--lines=1", "--unchecked",
                            "--settle-ms=0", f"--clients={clients}", f"--last-event-id=s={lines - 1}")
                took.append(load.result()["asked_to_last_s"] * 1000)
                took.append((procfs.cpu_s(server.worker_pids) - before) * 1000)
            times.append(took)
    finally:
        server.stop()
    count, one, one_cpu, many, many_cpu = map(statistics.median, zip(*times))
    size = f"{bench.options.resume_mib:,} MiB"
    bench.figure(f"resume by number near the end of {size}, first line", one, "ms", other=count,
                 beside="wc -l")
    bench.figure("the same, 100 clients at once, until the last has it", many, "ms", other=count,
                 beside="wc -l")
    # One pass, whoever asks; memory speed is wc's.
    bench.figure("resume by number, times wc -l", one / count, "×", 2)
    # Each worker makes its own; what clients cost beside it is small.
    workers = bench.options.workers
    bench.figure(f"100 clients at once, CPU of {workers} workers, times that for one", many_cpu / one_cpu,
                 "×", 1.25 * workers)


# --- ceiling: what the load generator and nginx can do -----------------------------------------------

def ceiling(bench):
    lines = 20000
    clients = 1000
    port = servers.free_port()
    peer = servers.Process(bench.new_folder("null"), "null",
                           [bench.program("tests/bench/null_peer"), f"--lines={lines}", "--hold",
                            f"--event-bytes={bench.options.event_bytes}", "--http", str(port)])
    try:
        servers.wait_until(lambda: servers.accepts(port), "null_peer")
        direct = bench.check("ceiling", Load(bench, f"http://127.0.0.1:{port}/x",
                                             f"--clients={clients}", f"--lines={lines}").result())
    finally:
        peer.stop()
    bench.figure("load generator alone, 1,000 clients", direct["lines_per_s"], "lines/s")
    bench.figure("load generator alone, lines for each second of its CPU",
                 direct["lines"] / direct["cpu_s"], "lines/s", 1.5e6, at_least=True)
    server = NullPeers(bench, f"--lines={lines}", "--hold",
                       f"--event-bytes={bench.options.event_bytes}")
    try:
        before = procfs.cpu_s(server.nginx.pids)
        result = bench.check("ceiling", Load(bench, server.url, f"--clients={clients}",
                                             f"--lines={lines}", deadline_s=180).result())
        nginx_us = (procfs.cpu_s(server.nginx.pids) - before) * 1e6 / result["lines"]
    finally:
        server.stop()
    bench.figure("null peer through nginx, 1,000 clients", result["lines_per_s"], "lines/s")
    bench.figure("null peer through nginx, nginx's CPU a line", nginx_us, "µs")
    bench.figure("null peer through nginx, the load generator's CPU a line",
                 result["cpu_s"] * 1e6 / result["lines"], "µs")
    server = NullPeers(bench, f"--lines={IDLE_LINES}", "--hold")
    try:
        growth, = idle_growth(bench, server.url, lambda _: None, server.nginx.pids)
    finally:
        server.stop()
    bench.figure(f"null peer, memory a client in nginx, {IDLE_CLIENTS:,} idle", growth, "KiB")


BENCHES = {"latency": latency, "burst": burst, "memory": memory, "catchup": catchup,
           "resume": resume, "number": resume_by_number, "ceiling": ceiling,
           "discovery": discovery, "all": of_all_runs, "bus": message_bus, "recording": recording,
           "slow": slow_clients, "streams": many_streams}


def read_options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--builddir", default=".", help="where the programs were built")
    parser.add_argument("--json", metavar="FILE", help="write the figures there as well")
    parser.add_argument("--keep", action="store_true", help="keep the temporary folder")
    parser.add_argument("--repeat", type=int, default=3, help="runs, of which the median counts")
    parser.add_argument("--workers", type=int, default=min(os.cpu_count(), 8),
                        help="of runstreamd (default: as it is shipped)")
    parser.add_argument("--nginx-workers", type=int, default=os.cpu_count())
    parser.add_argument("--fastcgi-buffer-size", metavar="SIZE",
                        help="in place of that of the include files")
    parser.add_argument("--event-bytes", type=int, default=300, help="of the null peer's events")
    parser.add_argument("--latency-s", type=int, default=10)
    parser.add_argument("--burst-lines", type=int, default=20000)
    parser.add_argument("--nchan-burst-lines", type=int, default=1000)
    parser.add_argument("--catchup-mib", type=int, default=512)
    parser.add_argument("--resume-mib", type=int, default=1024)
    parser.add_argument("--bus-mb", type=int, default=100)
    parser.add_argument("--record-s", type=int, default=5, help="at 1,000 events a second")
    parser.add_argument("--others-only", action="store_true",
                        help="only what is measured of others, to compare with")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}")
    options = parser.parse_args()
    for name in options.names:
        if name not in BENCHES:
            parser.error(f"no benchmark is named {name}: there are {', '.join(BENCHES)}")
    return options


def main():
    options = read_options()
    # An orderly end, that leaves no server behind, also when a timeout is what ends it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    bench = Bench(options)
    bench.has_nchan = Nchan.module() is not None
    bench.note(procfs.machine())
    bench.note(f"{bench.workers} workers of runstream, {bench.nginx_workers} of nginx; "
               f"lines of {LINE_BYTES} bytes; medians of {options.repeat}")
    if not bench.has_nchan:
        bench.note("nchan is not installed (Debian: libnginx-mod-nchan): nothing to compare with")
    load_average = os.getloadavg()[0]
    if load_average > 0.5:
        bench.note(f"this machine was busy before (load average {load_average:.1f}): latencies, "
                   "above all, say little")
    failed = []
    try:
        for name in options.names or BENCHES:
            try:
                BENCHES[name](bench)
            except (Failed, subprocess.CalledProcessError, KeyError) as error:
                failed.append(name)
                bench.note(f"{name}: FAILED: {error}")
    finally:
        bench.close()
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"machine": procfs.machine(), "load_average": load_average,
                       "workers": bench.workers, "nginx_workers": bench.nginx_workers,
                       "failed": failed, "faults": bench.faults, "figures": bench.figures}, file, indent=1)
            file.write("\n")
    # A missed target is a figure; lines lost and a server that fell over are failures.
    return 1 if failed or bench.faults else 0


if __name__ == "__main__":
    sys.exit(main())
