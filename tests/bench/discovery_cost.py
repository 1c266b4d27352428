"""What discovery costs in a large tree in which nothing happens, and how soon a bus is found."""
import os
import signal
import statistics
import subprocess
import time

import procfs
from servers import Failed, Runstream, wait_until

TASKS = 50000
TASKS_OF_A_PROJECT = 500
SETTLE_S = 4  # folders that changed a moment ago are listed once more
WINDOWS, WINDOW_S = 5, 4


def path_of(task):
    return os.path.join(f"p{task // TASKS_OF_A_PROJECT}", f"t{task}")


def make_tree(runs_dir):
    """A run that is over in each task, and no buses."""
    for n in range(TASKS):
        folder = os.path.join(runs_dir, path_of(n), "runs", f"r{n}")
        os.makedirs(folder)
        with open(os.path.join(folder, "run-info.yaml"), "w", encoding="ascii") as file:
            file.write("version: 1\nstatus: completed\nexit_code: 0\n")


def least_ms(bench, runs_dir):
    """Of a bare loop of the calls that a look makes without inotify: for each task its folder of
    runs and its bus."""
    paths = "".join(f"{path_of(n)}/runs\n{path_of(n)}/TASK-MESSAGE-BUS.md\n" for n in range(TASKS))
    run = subprocess.run([bench.program("tests/bench/stat_loop"), runs_dir], input=paths, text=True,
                         stdout=subprocess.PIPE, check=True)
    return int(run.stdout) / 1e6


def bus_ms(server, task):
    """From the making of a bus to the moment at which runstreamctl shows it."""
    def count():
        status = server.status()
        return status and status["buses"]["total"]

    before = count()
    bus = os.path.join(server.runs_dir, path_of(task), "TASK-MESSAGE-BUS.md")
    began = time.monotonic()
    with open(bus, "x", encoding="ascii"):
        pass
    wait_until(lambda: count() == before + 1, "the bus")
    took = (time.monotonic() - began) * 1000
    os.unlink(bus)
    return took


def looks(server, killed):
    """How often the discovery that took the place of the one killed has looked: until it counts by
    itself, what the other one counted is there."""
    status = server.status()
    if not status or status["discovery"]["pid"] in (0, killed):
        return 0
    count = status["counters"]["look_us"]["count"]
    return count if count <= server.looks_of_killed else 0


def idle_ms_a_look(server):
    """Processor time in ms for each look, over some windows, and each second in the middle one."""
    pid = server.status()["discovery"]["pid"]
    of_looks, of_seconds = [], []
    for _ in range(WINDOWS):
        count, before = server.status()["counters"]["look_us"]["count"], procfs.thread_ns([pid])
        began = time.monotonic()
        time.sleep(WINDOW_S)
        spent_ms = procfs.spent_ns([pid], before) / 1e6
        of_seconds.append(spent_ms / (time.monotonic() - began))
        count = server.status()["counters"]["look_us"]["count"] - count
        of_looks.append(spent_ms / max(count, 1))
    return statistics.median(of_looks), statistics.median(of_seconds)


def measure(bench, inotify, runs_dir):
    """Processor time in ms for a look and a second; how soon buses are found in ms."""
    server = Runstream(bench, inotify=inotify, runs_dir=runs_dir)
    try:
        wait_until(lambda: (server.status() or {"runs": {"total": 0}})["runs"]["total"] == TASKS,
                   "all runs", 300)
        # What is new is looked at closely for some minutes; to one that starts now, all is old.
        # It has to have looked more often than the next one will have when that is asked.
        wait_until(lambda: server.status()["counters"]["look_us"]["count"] >= 8, "looks", 120)
        status = server.status()
        killed = status["discovery"]["pid"]
        server.looks_of_killed = status["counters"]["look_us"]["count"] - 1
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: looks(server, killed) >= 2, "the next discovery", 300)
        time.sleep(SETTLE_S)
        of_look, of_second = idle_ms_a_look(server)
        with open(os.path.join(server.folder, "runstreamd.log"), encoding="utf-8") as file:
            if "inotify_refused" in file.read():
                raise Failed(f"fs.inotify.max_user_watches is below {2 * TASKS:,}")
        found = [bus_ms(server, n * 997 % TASKS) for n in range(5 * bench.options.repeat)]
    finally:
        server.stop()
    return of_look, of_second, statistics.median(found)


def discovery(bench):
    runs_dir = os.path.join(bench.new_folder("runs"), "runs")
    make_tree(runs_dir)
    # Of the same minutes, as other work on the machine makes calls dearer.
    least = [least_ms(bench, runs_dir)]
    polled_look, _, polled_found = measure(bench, False, runs_dir)
    least.append(least_ms(bench, runs_dir))
    _, told, told_found = measure(bench, True, runs_dir)
    # Milliseconds in a second to percent.
    bench.figure(f"idle discovery, {TASKS:,} tasks, with inotify", told / 10, "% of a core", 2)
    bench.figure("a look by polling alone", polled_look, "ms", 1.5 * statistics.mean(least),
                 other=statistics.mean(least), beside="a bare loop of its calls")
    bench.figure("a new bus is known after, with inotify", told_found, "ms", 1000,
                 other=polled_found, beside="polling alone")
