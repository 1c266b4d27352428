"""What processes cost, as the kernel tells it."""
import os

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def children(pid):
    """The direct children of a process."""
    pids = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
            pids += map(int, file.read().split())
    return pids


def cpu_s(pids):
    """User and system time of all threads so far, those that ended included."""
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS_PER_S


def thread_ns(pids):
    """The same of each thread that lives, to the nanosecond: for what is too little for ticks."""
    times = {}
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                times[task] = int(file.read().split()[0])
    return times


def spent_ns(pids, before):
    """Since thread_ns() said what it was before, but for threads that ended since."""
    return sum(ns - before.get(task, 0) for task, ns in thread_ns(pids).items())


def sum_bytes(pids, name, key):
    total_kib = 0
    for pid in pids:
        with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith(key + ":"):
                    total_kib += int(line.split()[1])
    return total_kib * 1024


def rss_bytes(pids):
    """Resident memory, shared pages counted in full."""
    return sum_bytes(pids, "smaps_rollup", "Rss")


def peak_rss_bytes(pids):
    """The most that each ever had resident."""
    return sum_bytes(pids, "status", "VmHWM")


def machine():
    """One line about where the figures come from."""
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{os.cpu_count()} × {model}, Linux {os.uname().release}"
