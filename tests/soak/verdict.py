"""Compares what each client got with what was written, when all is over."""

import bisect
import collections
import json
import os

import lines

SLACK_S = 5       # in which a rotation, or a run, may not have been seen yet
NEW_RUN_S = 20    # after which a client of many must have heard of a run
EXACT = ("log", "file", "events", "bus")
# Gaps that may come though nothing was lost.
TOLERATED_GAPS = {
    # A live stream tells of a truncation even where the copy holds what was cut off.
    "truncated": "copied and truncated",
}
COLUMNS = ("clients", "connects", "lines", "lost", "repeated", "out_of_order", "wrong_content",
           "false_gaps", "unexpected", "told_gaps", "told_repeats", "of_copies")
MUST_BE_ZERO = ("lost", "repeated", "out_of_order", "wrong_content", "false_gaps", "unexpected")


class Source:
    """What was written to a log or a bus, and when."""

    def __init__(self, truth):
        self.last = truth["last"]
        self.start_times = [t for t, _ in truth["starts"]]
        self.start_lines = [seq for _, seq in truth["starts"]]
        self.times = [t for t, _ in truth["samples"]]
        self.nexts = [seq for _, seq in truth["samples"]]

    def begun_at(self):
        return self.times[0] if self.times else None

    def file_start(self, at):
        """The first line of the file that was current then."""
        i = bisect.bisect_right(self.start_times, at)
        return self.start_lines[max(i - 1, 0)] if self.start_lines else 1

    def next_after(self, at):
        """Of the lines that were surely begun after this time the first."""
        i = bisect.bisect_left(self.times, at)
        return self.nexts[i] if i < len(self.nexts) else self.last + 1

    def next_before(self, at):
        i = bisect.bisect_right(self.times, at)
        return self.nexts[i - 1] if i > 0 else 1


def first_line_range(record, source, track):
    """Between which lines the first one that the client got may be, by how it began."""
    opened = record["opened_at"]
    begun = record["first_event_at"]
    first_at = track["first_at"] if track else begun + NEW_RUN_S
    start = record["start"]
    kind = record["kind"]
    if kind in ("bus", "buses") and not start:
        start = "tail=20"
    if not start and not record["of_many"]:
        start = "from=start"
    if start == "from=start":
        return source.file_start(opened - SLACK_S), source.file_start(first_at)
    if start.startswith("tail="):
        n = int(start[5:])
        return (source.next_before(opened) - n - 1,
                max(source.file_start(first_at), source.next_after(first_at) - n))
    if record["of_many"] and source.begun_at() and source.begun_at() > begun + 1:
        return 1, source.file_start(first_at)  # a new one: from its start
    mentioned = track["mentioned"] if track else first_at
    return source.next_before(opened - SLACK_S) - 1, source.next_after(mentioned)


class Verdict:
    def __init__(self, work, runs_dir):
        self.work, self.runs_dir = work, runs_dir
        with open(os.path.join(work, "truth.json")) as f:
            self.truth = json.load(f)
        self.rows = collections.defaultdict(collections.Counter)
        self.findings = []
        self.sources = {}
        self.totals = collections.Counter()
        for run in self.truth["runs"].values():
            for name, log in run["logs"].items():
                self.sources[name] = Source(log)
        for name, bus in self.truth["buses"].items():
            self.sources[name] = Source(bus)
        self.files = {}
        for name, recorded in self.truth["recorded"].items():
            self.files[name] = self.read_events(name, recorded)

    # --- recorded events ---

    def read_events(self, name, recorded):
        """The check of each line of the file, None of one that is no event; and whether all that was
        acknowledged is there, once and in order."""
        checks, numbers = [], []
        try:
            with open(os.path.join(self.runs_dir, recorded["path"]), "rb") as f:
                data = f.read()
        except FileNotFoundError:
            data = b""
        for line in data.split(b"\n")[:-1] if data.endswith(b"\n") else data.split(b"\n"):
            try:
                event = json.loads(line)
                checks.append(lines.event_check(event))
                if "n" in event:
                    numbers.append(event["n"])
            except ValueError:
                checks.append(None)
                self.totals["torn_lines"] += bool(line.strip())
        row = self.rows["recording"]
        row["clients"] += 1
        row["lines"] += len(numbers)
        row["connects"] += recorded["tries"]
        have = collections.Counter(numbers)
        for n in recorded["acknowledged"]:
            if have[n] == 0:
                self.find(row, "lost", 1, "%s: event %d was acknowledged and is not in %s" % (
                    name, n, recorded["path"]))
        for n, count in have.items():
            if count > 1:
                self.find(row, "repeated", 1, "%s: event %d is %d times in %s" % (
                    name, n, count, recorded["path"]))
        if numbers != sorted(numbers):
            self.find(row, "out_of_order", 1, "%s: %s" % (name, recorded["path"]))
        for bad in recorded["bad"]:
            self.find(row, "unexpected", 1, bad)
        return checks

    # --- clients ---

    def find(self, row, kind, count, what, record=None, recent=None):
        row[kind] += count
        if count:
            self.findings.append((kind, what, record, recent))

    def is_copied(self, source):
        run = self.truth["runs"].get(source.partition("/")[0])
        return bool(run and run["copies"])

    def is_told(self, record, gap):
        if gap["reason"] not in TOLERATED_GAPS:
            return False
        return self.is_copied(gap.get("run_id", ""))

    def take(self, record):
        kind = record["kind"]
        row = self.rows[kind]
        row["clients"] += 1
        row["connects"] += record["counts"].get("connects", 0)
        counts = record["counts"]
        described = collections.Counter(bad["kind"] for bad in record["bad"])
        # A copy is another file than the one that it was made of: what of it comes again bears
        # positions of its own.
        row["of_copies"] += sum(t["of_another_file"] for name, t in record["tracks"].items()
                                if self.is_copied(name))
        for bad in record["bad"]:
            column = {"lost": None, "wrong_n": "wrong_content"}.get(
                bad["kind"], bad["kind"])
            self.find(row, column or "lost", 0 if column is None else 1, bad["what"], record,
                      bad["recent"])
            if column is None:
                self.findings.append(("lost", bad["what"], record, bad["recent"]))
        for name in ("repeated", "wrong_content", "wrong_n", "unexpected",
                     "out_of_order"):
            column = {"wrong_n": "wrong_content"}.get(name, name)
            row[column] += counts.get(name, 0) - described[name]
        row["lost"] += counts.get("lost_lines", 0)
        for at, gap, recent in record["gaps"]:
            if self.is_told(record, gap):
                row["told_gaps"] += 1
            else:
                self.find(row, "false_gaps", 1, "gap %s" % json.dumps(gap), record, recent)
        if record["why"] == "given up":
            self.find(row, "unexpected", 1, "it did not come to its end; the last status was %s" %
                      record["last_status"], record, record["recent"])
        if record["first_event_at"] is None:
            if record["why"] != "204":
                self.find(row, "unexpected", 1, "it got nothing at all", record)
            return
        for name, track in record["tracks"].items():
            if track["of_another_file"] and not self.is_copied(name):
                self.find(row, "repeated", track["of_another_file"],
                          "%s: lines again with other positions" % name, record,
                          track["again"])
            row["lines"] += track["lines"]
            row["told_repeats"] += track["repeats"]
        if kind in ("events", "all_events"):
            self.take_events(record, row)
        else:
            for name in self.owed(record):
                self.take_source(record, row, name)

    def owed(self, record):
        """The sources that the client is to have something of, and those it has."""
        kind, target = record["kind"], record["target"]
        if kind == "log":
            return [lines.source_of(target["id"], s) for s in ("stdout", "stderr")]
        if kind == "file":
            return [lines.source_of(target["id"], target["stream"])]
        if kind == "bus":
            return [target["id"]]
        if kind == "buses":
            return list(self.truth["buses"])
        return [name for run in self.truth["runs"].values()
                if kind == "all" or (run["project"], run["task"]) == (
                    target["project"], target["task"]) for name in run["logs"]]

    def last_owed(self, record, name):
        """The last line of a source that the client had to get before it went."""
        if record["kind"] in ("log", "file"):
            run = self.truth["runs"][record["target"]["id"]]
            asked = record["no_content_asked_at"]
            if record["why"] != "204":
                return self.sources[name].last
            index = 1 if name.endswith("/o") else 2
            ends = [end[index] for end in run["ends"] if end[0] <= asked]
            return ends[-1] if ends else 0
        return self.sources[name].last

    def take_source(self, record, row, name):
        source, track = self.sources[name], record["tracks"].get(name)
        last = self.last_owed(record, name)
        if record["expired_at"] and (track is None or track["was_loose"]):
            return  # it was told that it misses something
        low, high = first_line_range(record, source, track)
        if track is None or track["last"] == 0:
            if high <= last:
                self.find(row, "lost", last - high + 1, "%s: it got none of lines %d to %d" % (
                    name, high, last), record, record["recent"])
            return
        if track["first"] > high:
            self.find(row, "lost", track["first"] - high, "%s: it began with line %d, not %d" % (
                name, track["first"], high), record, record["recent"])
        elif track["first"] < low and not record["of_many"]:
            self.find(row, "wrong_content", 1, "%s: it began with line %d, before %d" % (
                name, track["first"], low), record, record["recent"])
        if track["last"] < last:
            self.find(row, "lost", last - track["last"],
                      "%s: its last line is %d, not %d (pending: %r)" % (
                          name, track["last"], last, track["pending"]), record, record["recent"])

    def take_events(self, record, row):
        if record["kind"] == "events":
            names = [record["target"]["id"]]
        else:
            names = list(record["tracks"])
        for name in names:
            checks, track = self.files[name], record["tracks"].get(name)
            if track is None:
                self.find(row, "lost", len(checks), "%s: it got no event of %d" % (
                    name, len(checks)), record, record["recent"])
                continue
            if track["was_loose"]:
                continue
            have = dict(track["checks"])
            wanted = [seq for seq in range(1, len(checks) + 1) if checks[seq - 1] is not None]
            if record["kind"] == "events" and not record["start"].startswith("tail"):
                first = 1
            else:
                first = track["first"]
            missing = [seq for seq in wanted if seq >= first and seq not in have]
            if missing:
                self.find(row, "lost", len(missing), "%s: events %s of %d" % (
                    name, missing[:10], len(checks)), record, record["recent"])
            wrong = [seq for seq, check in have.items()
                     if seq > len(checks) or checks[seq - 1] != check]
            if wrong:
                self.find(row, "wrong_content", len(wrong), "%s: events %s of %d" % (
                    name, wrong[:10], len(checks)), record, record["recent"])

    def take_all(self):
        for name in sorted(os.listdir(self.work)):
            if name.startswith("records-"):
                with open(os.path.join(self.work, name)) as f:
                    for line in f:
                        record = json.loads(line)
                        self.totals.update({k: v for k, v in record["counts"].items()})
                        self.take(record)

    # --- the report ---

    def is_clean(self):
        return not any(row[column] for row in self.rows.values() for column in MUST_BE_ZERO)

    def table(self):
        out = ["%-11s" % "kind" + "".join("%14s" % c.replace("_", " ") for c in COLUMNS)]
        for kind in ("log", "file", "events", "bus", "all", "task", "buses", "all_events",
                     "recording"):
            out.append("%-11s" % kind + "".join("%14d" % self.rows[kind][c] for c in COLUMNS))
        return "\n".join(out)

    def describe(self, most=12):
        out = []
        for kind, what, record, recent in self.findings[:most]:
            out.append("--- %s: %s" % (kind.replace("_", " "), what))
            if record:
                out.append("    client %d: %s %s?%s, %s, opened at %.3f, %d connections, ended: %s" % (
                    record["number"], record["kind"], record["path"], record["start"],
                    record["temper"], record["opened_at"], record["counts"].get("connects", 0),
                    record["why"]))
            for at, name, event_id, text in (recent or [])[-6:]:
                out.append("    %.3f %s id=%s %s" % (at, name, event_id, text[:160]))
        if len(self.findings) > most:
            out.append("--- and %d more" % (len(self.findings) - most))
        return "\n".join(out)
