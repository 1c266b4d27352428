"""What discovery costs in a large tree in which nothing happens, and how soon a bus is found."""
import os
import signal
import statistics
import time

import procfs
from servers import Failed, Runstream, wait_until

TASKS = 50000
TASKS_OF_A_PROJECT = 500
SETTLE_S = 4  # folders that changed a moment ago are listed once more
IDLE_S = 15


def make_tree(runs_dir):
    """A run that is over in each task, and no buses."""
    for n in range(TASKS):
        folder = os.path.join(runs_dir, f"p{n // TASKS_OF_A_PROJECT}", f"t{n}", "runs", f"r{n}")
        os.makedirs(folder)
        with open(os.path.join(folder, "run-info.yaml"), "w", encoding="ascii") as file:
            file.write("version: 1\nstatus: completed\nexit_code: 0\n")


def bus_ms(server, task):
    """From the making of a bus to the moment at which runstreamctl shows it."""
    def count():
        status = server.status()
        return status and status["buses"]["total"]

    before = count()
    folder = os.path.join(server.runs_dir, f"p{task // TASKS_OF_A_PROJECT}", f"t{task}")
    began = time.monotonic()
    with open(os.path.join(folder, "TASK-MESSAGE-BUS.md"), "x", encoding="ascii"):
        pass
    wait_until(lambda: count() == before + 1, "the bus")
    return (time.monotonic() - began) * 1000


def has_looked(server):
    """Whether the discovery that runs now has looked at all."""
    status = server.status()
    return (status and status["discovery"]["pid"] and status["discovery"]["restarts"] == 1 and
            status["counters"]["look_us"]["count"] > 3)


def measure(bench, inotify):
    """The share of a processor in percent, and how soon buses are found in ms."""
    server = Runstream(bench, inotify=inotify)
    try:
        make_tree(server.runs_dir)
        wait_until(lambda: (server.status() or {"runs": {"total": 0}})["runs"]["total"] == TASKS,
                   "all runs")
        # What is new is looked at closely for some minutes; to one that starts now, all is old.
        os.kill(server.status()["discovery"]["pid"], signal.SIGKILL)
        wait_until(lambda: has_looked(server), "the next discovery")
        time.sleep(SETTLE_S)
        pid = server.status()["discovery"]["pid"]
        before, began = procfs.cpu_s([pid]), time.monotonic()
        time.sleep(IDLE_S)
        share = (procfs.cpu_s([pid]) - before) / (time.monotonic() - began) * 100
        with open(os.path.join(server.folder, "runstreamd.log"), encoding="utf-8") as file:
            if "inotify_refused" in file.read():
                raise Failed(f"fs.inotify.max_user_watches is below {2 * TASKS:,}")
        found = [bus_ms(server, n * 997 % TASKS) for n in range(5 * bench.options.repeat)]
    finally:
        server.stop()
    return share, statistics.median(found)


def discovery(bench):
    polled, polled_ms = measure(bench, False)
    told, told_ms = measure(bench, True)
    bench.figure(f"idle discovery, {TASKS:,} tasks, with inotify", told, "% of a core", 2,
                 other=polled, beside="polling alone")
    bench.figure("a new bus is known after, with inotify", told_ms, "ms", 1000, other=polled_ms,
                 beside="polling alone")
