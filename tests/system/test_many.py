#!/usr/bin/env python3
"""Streams of many runs: every line of every run, of those that come later too."""

import collections
import os
import shutil
import signal
import threading
import time

import harness

ALL = "/api/v1/runs/stream/all"
STARTED_WITHIN_S = 3  # discovery_interval_ms of the tests, and what a busy machine adds


def task_path(project, task):
    return "/api/projects/%s/tasks/%s/runs/stream" % (project, task)


class Many(harness.Stream):
    """A client of a stream of many runs, which sorts what comes."""

    def __init__(self, *args, **options):
        self.told = collections.defaultdict(list)     # (run, stream): whole lines
        self.begun = collections.defaultdict(str)     # fragments of one that is not whole yet
        self.statuses = collections.defaultdict(list)
        self.completes = collections.defaultdict(list)
        self.log_ids = []
        self.positions = collections.defaultdict(list)
        super().__init__(*args, **options)

    def next(self, within_s=10):
        event = super().next(within_s)
        if event is None:
            return None
        run = event.data.get("run_id")
        if event.name == "log":
            where = (run, event.data["stream"])
            self.begun[where] += event.data["line"]
            if not event.data.get("partial"):
                self.told[where].append(self.begun.pop(where))
            self.log_ids.append(event.id)
            self.positions[where].append(event.data["pos"])
        elif event.name == "status":
            self.statuses[run].append(event.data["status"])
        elif event.name == "complete":
            self.completes[run].append(event.data)
        return event

    def of(self, run, stream="stdout"):
        return self.told[run.id, stream]

    def read_until(self, what, condition, within_s=15):
        """Reads until condition() is true."""
        until = time.monotonic() + harness.seconds(within_s)
        try:
            while not condition():
                if self.next((until - time.monotonic()) / harness.seconds(1)) is None:
                    raise AssertionError("the stream ended")
        except AssertionError as e:
            have = {where: len(lines) for where, lines in self.told.items()}
            raise AssertionError("%s, waiting for %s; have %s; the last: %s" % (
                e, what, have, self.events[-3:])) from None

    def until_lines(self, run, count, stream="stdout", within_s=15):
        self.read_until("%d lines of %s" % (count, run.id),
                   lambda: len(self.of(run, stream)) >= count, within_s)
        return self.of(run, stream)

    def until_status(self, run, status, within_s=15):
        self.read_until("%s is %s" % (run.id, status),
                   lambda: status in self.statuses[run.id], within_s)

    def until_complete(self, run, times=1, within_s=15):
        self.read_until("%s is complete" % run.id,
                        lambda: len(self.completes[run.id]) >= times, within_s)
        return self.completes[run.id][-1]

    def gaps(self):
        return [e.data for e in self.events if e.name == "gap"]


def numbered(count, start=1, words="line"):
    return ["%s %d" % (words, n) for n in range(start, start + count)]


def text(lines):
    return "".join(line + "\n" for line in lines)


class TestCase(harness.TestCase):
    def follow(self, path=ALL, **options):
        return self.open(path, kind=Many, **options)

    def known(self, *runs):
        """Waits until discovery knows the runs as they are now: then they are not new."""
        for run in runs:
            harness.wait_for(run.id + " is known", lambda: (
                self.server.get("/api/v1/runs/" + run.id).body and
                self.server.get("/api/v1/runs/" + run.id).json().get("status") == run.status))

    def assert_unique_ids(self, stream):
        self.assertTrue(all(stream.log_ids))
        self.assertEqual(len(set(stream.log_ids)), len(stream.log_ids))
        self.assertLessEqual(max(map(len, stream.log_ids)), 1024)


class AllRuns(TestCase):
    def test_headers_and_first_bytes_come_at_once(self):
        stream = self.follow()
        self.assertEqual(stream.headers["content-type"].partition(";")[0], "text/event-stream")
        self.assertEqual(stream.headers["cache-control"], "no-cache")
        self.assertTrue(stream.chunk().startswith(b":"))

    def test_lines_and_status_of_every_run_from_now_on(self):
        runs = [self.server.run(project="p-now", task="t-%d" % n, lines=5) for n in range(4)]
        self.known(*runs)
        stream = self.follow()
        for run in runs:
            stream.until_status(run, "running")
        for run in runs:
            run.out("new of %s\n" % run.id)
            run.err("warning of %s\n" % run.id)
        for run in runs:
            self.assertEqual(stream.until_lines(run, 1), ["new of " + run.id])
            self.assertEqual(stream.until_lines(run, 1, "stderr"), ["warning of " + run.id])
        for event in stream.events:
            if event.name == "log":
                self.assertNotIn("n", event.data)
                self.assertEqual(event.data["project_id"], "p-now")
                self.assertTrue(event.data["pos"])
        runs[0].finish("failed", 4)
        stream.until_status(runs[0], "failed")
        self.assert_unique_ids(stream)

    def test_a_run_that_appears_later_comes_whole_and_soon(self):
        stream = self.follow()
        for _ in range(3):
            run = self.server.run(lines=20)
            self.assertEqual(stream.until_lines(run, 20, within_s=STARTED_WITHIN_S),
                             numbered(20))
            stream.until_status(run, "running")
        self.assertEqual(stream.gaps(), [])

    def test_a_short_run_that_is_over_when_it_is_found_comes_whole(self):
        stream = self.follow()
        run = self.server.run(status=None)
        aside = os.path.join(self.server.dir, run.id)
        os.rename(run.path, aside)
        with open(os.path.join(aside, "agent-stdout.txt"), "w") as f:
            f.write(text(numbered(30)) + "no newline")
        run.path = aside
        run.finish("completed", 0)
        os.rename(aside, os.path.join(self.server.runs_dir, run.id))
        self.assertEqual(stream.until_complete(run)["status"], "completed")
        self.assertEqual(stream.of(run), numbered(30) + ["no newline"])
        self.assertEqual(stream.statuses[run.id], ["completed"])

    def test_complete_of_one_run_comes_behind_its_lines_and_ends_nothing(self):
        first, other = self.server.run(), self.server.run()
        stream = self.follow()
        stream.until_status(first, "running")
        stream.until_status(other, "running")
        first.out(text(numbered(500)))
        first.finish()
        self.assertEqual(stream.until_complete(first)["exit_code"], 0)
        self.assertEqual(stream.of(first), numbered(500))
        other.out("still here\n")
        self.assertEqual(stream.until_lines(other, 1), ["still here"])

    def test_runs_that_were_over_before_are_not_told_of(self):
        old = self.server.run(lines=5)
        old.finish()
        new = self.server.run()
        self.known(old)
        stream = self.follow()
        stream.until_status(new, "running")
        new.out("a line\n")
        stream.until_lines(new, 1)
        self.assertEqual(stream.statuses[old.id], [])
        self.assertEqual(stream.of(old), [])

    def test_a_run_that_goes_on_streams_again(self):
        run = self.server.run()
        stream = self.follow()
        stream.until_status(run, "running")
        run.out("before\n")
        run.finish()
        stream.until_complete(run)
        for again in range(3):
            run.info("running")
            stream.wait("status", run_id=run.id, status="running")
            run.out("again %d\n" % again)
            stream.until_lines(run, 2 + again)
            run.finish("failed", 1)
            self.assertEqual(stream.until_complete(run, 2 + again)["status"], "failed")
        self.assertEqual(stream.of(run), ["before", "again 0", "again 1", "again 2"])
        self.assertEqual(stream.gaps(), [])

    def test_what_was_written_between_two_lives_of_a_run_comes_when_it_goes_on(self):
        run = self.server.run()
        stream = self.follow()
        stream.until_status(run, "running")
        run.out("before\n")
        run.finish()
        stream.until_complete(run)
        run.out("between\n")
        run.info("running")
        run.out("after\n")
        self.assertEqual(stream.until_lines(run, 3), ["before", "between", "after"])

    def test_of_a_run_that_was_over_comes_all_that_it_writes_when_it_goes_on(self):
        over = [self.server.run(lines=7) for _ in range(6)]
        rotated, silent, other = over[4], over[5], self.server.run()
        silent.out("the end of a line is")
        for run in over:
            run.finish()
        self.known(other, *over)
        stream = self.follow()
        stream.until_status(other, "running")
        for run in over:
            if run is rotated:
                os.rename(run.stdout, run.stdout + ".1")
            run.info("running")
            run.out(" missing\n" + text(numbered(50, words="new")))
            run.err(text(numbered(3, words="error")))
        for run in over:
            first = "the end of a line is missing" if run is silent else " missing"
            self.assertEqual(stream.until_lines(run, 51), [first] + numbered(50, words="new"))
            self.assertEqual(stream.until_lines(run, 3, "stderr"), numbered(3, words="error"))
            stream.until_status(run, "running")
        self.assertEqual(stream.gaps(), [])
        self.assert_unique_ids(stream)

    def test_of_a_run_that_went_on_before_comes_what_is_written_from_now_on(self):
        run = self.server.run(lines=7)
        run.finish()
        self.known(run)
        run.info("running")
        run.out(text(numbered(5, words="before")))
        self.known(run)
        stream = self.follow()
        stream.until_status(run, "running")
        run.out("now\n")
        self.assertEqual(stream.until_lines(run, 1), ["now"])

    def test_a_run_that_is_deleted_is_gone_and_ends_nothing(self):
        run, other = self.server.run(), self.server.run()
        stream = self.follow()
        stream.until_status(run, "running")
        stream.until_status(other, "running")
        shutil.rmtree(run.path)
        stream.wait("gone", run_id=run.id)
        other.out("still here\n")
        self.assertEqual(stream.until_lines(other, 1), ["still here"])

    def test_streams_chooses_the_files(self):
        run = self.server.run()
        only = self.follow(ALL + "?streams=stderr")
        both = self.follow(ALL + "?streams=stdout,stderr")
        for stream in (only, both):
            stream.until_status(run, "running")
        run.out("out\n")
        both.until_lines(run, 1)
        run.err("err\n")
        for stream in (only, both):
            self.assertEqual(stream.until_lines(run, 1, "stderr"), ["err"])
        self.assertEqual(only.of(run), [])
        self.assert_error(self.server.get(ALL + "?streams=stdlog"), 400)
        self.assert_error(self.server.get(ALL + "?from=middle"), 400)
        self.assert_error(self.server.get(ALL + "?tail=x"), 400)

    def test_the_position_is_the_same_for_each_client_and_each_time(self):
        run = self.server.run(lines=10)
        self.known(run)
        first, second = self.follow(), self.follow()
        for stream in (first, second):
            stream.until_status(run, "running")
        run.out(text(numbered(200, 11)))
        run.err("one\n")
        for stream in (first, second):
            stream.until_lines(run, 200)
            stream.until_lines(run, 1, "stderr")
        late = self.follow(ALL + "?from=start")
        late.until_lines(run, 210)
        for which in ("stdout", "stderr"):
            positions = first.positions[run.id, which]
            self.assertEqual(positions, second.positions[run.id, which])
            self.assertEqual(len(set(positions)), len(positions))
        self.assertEqual(late.positions[run.id, "stdout"][10:],
                         first.positions[run.id, "stdout"])

    def test_what_is_no_id_of_this_stream_is_a_gap_and_from_now_on(self):
        run = self.server.run(lines=5)
        self.known(run)
        other = self.follow(task_path("p-of-ids", "t"))
        of_other = self.server.run(project="p-of-ids", task="t")
        of_other.out("a line\n")
        other.until_lines(of_other, 1)
        for last_id in ("nonsense", "7", "s=1;e=2", "f=1.2", other.log_ids[-1]):
            stream = self.follow(last_id=last_id)
            self.assertEqual(stream.next().data, {"reason": "cursor_invalid"})
            stream.until_status(run, "running")
            run.out("next\n")
            self.assertEqual(stream.until_lines(run, 1), ["next"])
        self.assertEqual(self.follow(ALL + "?last_event_id=x").next().name, "gap")

    def test_an_id_of_which_nothing_is_kept_any_more_is_a_gap_and_from_now_on(self):
        stream = self.follow(last_id="f=1234567890abcdef.1.5;m=1")
        self.assertEqual(stream.next().data["reason"], "cursor_expired")
        run = self.server.run()
        run.out("a line\n")
        self.assertEqual(stream.until_lines(run, 1), ["a line"])

    def test_head_and_other_methods(self):
        for path in (ALL, task_path("p", "t")):
            self.assertEqual(self.server.get(path, method="HEAD").status, 200)
            answer = self.server.get(path, method="DELETE")
            self.assert_error(answer, 405)
            self.assertIn("GET", answer.headers["allow"])

    def test_streams_of_many_runs_do_not_count_as_clients_of_a_run(self):
        run = self.server.run(lines=1)
        stream = self.follow()
        stream.until_status(run, "running")
        self.assertEqual(self.server.get("/api/v1/runs/" + run.id).json()["clients"], 0)

    def test_a_line_that_is_not_finished_comes_in_parts(self):
        run = self.server.run()
        stream = self.follow()
        stream.until_status(run, "running")
        run.out("a question? ")
        event = stream.wait("log", run_id=run.id)
        self.assertEqual((event.data["line"], event.data["partial"]), ("a question? ", True))
        run.out("an answer\nand ")
        self.assertEqual(stream.until_lines(run, 1), ["a question? an answer"])
        run.finish()
        stream.until_complete(run)
        self.assertEqual(stream.of(run), ["a question? an answer", "and "])



class RunsOfLongAgo(TestCase):
    config = {"api": {"sse": {"terminal_linger_ms": 3000000}}}

    def test_their_ends_are_told_without_waiting_for_each(self):
        runs = []
        for _ in range(5):
            run = self.server.run(lines=3, status=None)
            os.utime(run.stdout, (time.time() - 3600,) * 2)
            run.info("completed", 0, end_time="2026-01-01T00:00:00Z")
            runs.append(run)
        self.known(*runs)
        stream = self.follow(ALL + "?from=start")
        for run in runs:
            stream.until_complete(run)
            self.assertEqual(stream.of(run), numbered(3))


class History(TestCase):
    def test_from_the_start_comes_all_that_is_there_and_then_what_is_new(self):
        live = [self.server.run(lines=100) for _ in range(5)]
        over = [self.server.run(lines=50) for _ in range(3)]
        for run in over:
            run.err("the end of " + run.id)
            run.finish()
        self.known(*live, *over)
        stream = self.follow(ALL + "?from=start")
        for run in live:
            self.assertEqual(stream.until_lines(run, 100), numbered(100))
        for run in over:
            stream.until_complete(run)
            self.assertEqual(stream.of(run), numbered(50))
            self.assertEqual(stream.of(run, "stderr"), ["the end of " + run.id])
        for run in live:
            run.out("line 101\n")
            self.assertEqual(stream.until_lines(run, 101), numbered(101))
        self.assert_unique_ids(stream)
        self.assertEqual(stream.gaps(), [])

    def test_history_and_live_join_without_a_seam_while_runs_are_written(self):
        runs = [self.server.run(project="seam", task="t") for _ in range(6)]
        count, written = 3000, 0
        pause = threading.Event()

        def write():
            nonlocal written
            for n in range(1, count + 1, 10):
                for run in runs:
                    run.out(text(numbered(10, n)))
                written = n + 9
                pause.wait(0.001)
        writer = threading.Thread(target=write)
        writer.start()
        self.addCleanup(writer.join)
        # One that was there all the time, and others that come in the middle.
        streams = [self.follow(ALL + "?from=start")]
        for at in range(1, 6):
            while written < at * 400:
                streams[0].next()
            streams.append(self.follow((ALL if at % 2 else task_path("seam", "t")) +
                                       "?from=start"))
        writer.join()
        for stream in streams:
            for run in runs:
                self.assertEqual(stream.until_lines(run, count, within_s=30), numbered(count))
            self.assert_unique_ids(stream)
            self.assertEqual(stream.gaps(), [])

    def test_tail_is_the_last_lines_of_each_file_and_then_what_is_new(self):
        runs = [self.server.run(lines=n) for n in (2, 100, 1000)]
        for run in runs:
            run.err(text(numbered(20, words="err")))
        self.known(*runs)
        stream = self.follow(ALL + "?tail=5")
        for run in runs:
            stream.until_status(run, "running")
            run.out("new\n")
        for run, lines in zip(runs, (2, 100, 1000)):
            kept = min(lines, 5)
            self.assertEqual(stream.until_lines(run, kept + 1),
                             numbered(kept, lines - kept + 1) + ["new"])
            self.assertEqual(stream.until_lines(run, 5, "stderr"), numbered(5, 16, "err"))
        none = self.follow(ALL + "?tail=0")
        none.until_status(runs[0], "running")
        runs[0].out("newer\n")
        self.assertEqual(none.until_lines(runs[0], 1), ["newer"])


class Task(TestCase):
    def test_only_the_runs_of_the_task_come_new_ones_too(self):
        mine = self.server.run(project="shop", task="paint")
        others = [self.server.run(project="shop", task="sand"),
                  self.server.run(project="house", task="paint"), self.server.run()]
        stream = self.follow(task_path("shop", "paint"))
        stream.until_status(mine, "running")
        for run in others:
            run.out("not mine\n")
        later = self.server.run(project="shop", task="paint", lines=10)
        self.assertEqual(stream.until_lines(later, 10, within_s=STARTED_WITHIN_S), numbered(10))
        mine.out("mine\n")
        stream.until_lines(mine, 1)
        self.assertEqual({run for run, _ in stream.told}, {mine.id, later.id})
        self.assertEqual(set(stream.statuses), {mine.id, later.id})

    def test_history_of_a_task(self):
        runs = [self.server.run(project="old", task="t", lines=20) for _ in range(3)]
        runs[0].finish()
        self.known(*runs)
        stream = self.follow(task_path("old", "t") + "?from=start")
        for run in runs:
            self.assertEqual(stream.until_lines(run, 20), numbered(20))
        stream.until_complete(runs[0])

    def test_a_task_that_is_not_there_yet_is_waited_for(self):
        stream = self.follow(task_path("soon", "t"))
        run = self.server.run(project="soon", task="t", lines=3)
        self.assertEqual(stream.until_lines(run, 3), numbered(3))

    def test_names_that_none_can_have(self):
        for path in (task_path("..", "t"), task_path("p", "%2e%2e"), task_path("p", "a%2fb")):
            self.assertEqual(self.server.get(path).status, 400, path)


class Rotation(TestCase):
    def test_rename_and_create_while_streaming(self):
        run = self.server.run()
        streams = [self.follow(), self.follow(ALL + "?from=start")]
        for stream in streams:
            stream.until_status(run, "running")
        expected = ["a file that was never seen cannot be missed"]
        run.out(text(expected))
        for stream in streams:
            stream.until_lines(run, 1)
        for round in range(5):
            run.out(text(numbered(300, 300 * round + 1)))
            os.rename(run.stdout, "%s.%d" % (run.stdout, round))
            run.out("first of a new one %d\n" % round)
            for stream in streams:
                stream.until_lines(run, 301 * (round + 1) + 1)
            expected += numbered(300, 300 * round + 1) + ["first of a new one %d" % round]
        for stream in streams:
            self.assertEqual(stream.of(run), expected)
            self.assertEqual(stream.gaps(), [])
            self.assert_unique_ids(stream)

    def test_copy_and_truncate_while_streaming(self):
        run = self.server.run()
        stream = self.follow()
        stream.until_status(run, "running")
        for round in range(5):
            run.out(text(numbered(50, 1, "round %d line" % round)))
            stream.until_lines(run, 51 * round + 50)
            shutil.copyfile(run.stdout, "%s.%d" % (run.stdout, round))
            os.truncate(run.stdout, 0)
            run.out("behind the cut %d\n" % round)
            stream.until_lines(run, 51 * (round + 1))
        expected = []
        for round in range(5):
            expected += numbered(50, 1, "round %d line" % round) + ["behind the cut %d" % round]
        self.assertEqual(stream.of(run), expected)
        self.assertEqual({gap["reason"] for gap in stream.gaps()}, {"truncated"})

    def test_a_reader_that_is_behind_a_rotation_loses_nothing(self):
        run = self.server.run()
        slow = self.follow(window_bytes=4096)
        slow.until_status(run, "running")
        prompt = self.follow()
        prompt.until_status(run, "running")
        lines = 0
        for round in range(4):
            run.out("".join("%07d %s\n" % (n, "x" * 500) for n in range(lines, lines + 4000)))
            lines += 4000
            prompt.until_lines(run, lines)
            os.rename(run.stdout, "%s.%d" % (run.stdout, round))
        run.out("the end\n")
        for stream in (prompt, slow):
            stream.until_lines(run, lines + 1, within_s=60)
            self.assertEqual([line[:7] for line in stream.of(run)[:-1]],
                             ["%07d" % n for n in range(lines)])
            self.assertEqual(stream.gaps(), [])


class Fairness(TestCase):
    workers = 1
    config = {"following": {"cache_bytes": 1 << 20}}

    def test_a_run_with_much_to_catch_up_does_not_hold_up_others(self):
        big, small = self.server.run(), self.server.run()
        stream = self.follow()
        for run in (big, small):
            stream.until_status(run, "running")
        pid = self.server.worker_pids()[0]
        os.kill(pid, signal.SIGSTOP)
        try:
            big.out("".join("%06d %s\n" % (n, "x" * 100) for n in range(10000)))
            small.out("small\n")
        finally:
            os.kill(pid, signal.SIGCONT)
        stream.until_lines(small, 1)
        before = len(stream.of(big))
        self.assertLess(before, 9000, "the others had to wait for all of it")
        stream.until_lines(big, 10000)
        self.assertEqual([line[:6] for line in stream.of(big)],
                         ["%06d" % n for n in range(10000)])

    def test_a_slow_client_gets_every_line_in_the_end_and_takes_no_memory_meanwhile(self):
        runs = [self.server.run() for _ in range(4)]
        slow = [self.follow(window_bytes=4096) for _ in range(2)]
        prompt = [self.follow() for _ in range(2)]
        for stream in slow + prompt:
            for run in runs:
                stream.until_status(run, "running")
        pid = self.server.worker_pids()[0]
        before_kib = harness.resident_kib(pid)
        lines, rounds = 1000, 8
        for round in range(rounds):
            for run in runs:
                run.out("".join("%06d %s\n" % (round * lines + n, "x" * 1000)
                                for n in range(lines)))
            for stream in prompt:
                stream.events.clear()
                for run in runs:
                    stream.until_lines(run, lines * (round + 1))
            slow[0].next()  # rarely
        # 32 MB are in the files, and nowhere else.
        if harness.MEMORY_TELLS:
            self.assertLess(harness.resident_kib(pid) - before_kib, 10 * 1024)
        for stream in slow + prompt:
            for run in runs:
                stream.until_lines(run, lines * rounds, within_s=60)
                self.assertEqual([line[:6] for line in stream.of(run)],
                                 ["%06d" % n for n in range(lines * rounds)])
            self.assert_unique_ids(stream)
            self.assertEqual(stream.gaps(), [])


class Thousands(TestCase):
    workers = 1
    config = {"api": {"sse": {"discovery_interval_ms": 1000}}}
    RUNS = 2000

    def test_two_thousand_active_runs_on_one_stream_and_several_clients(self):
        runs = [self.server.run(project="p%d" % (n % 10), task="t%d" % (n // 10), lines=1)
                for n in range(self.RUNS)]
        harness.wait_for("all are known", lambda: (
            self.server.status()["runs"]["total"] >= self.RUNS), 60)
        streams = [self.follow() for _ in range(3)]
        for stream in streams:
            stream.read_until("every status", lambda: len(stream.statuses) >= self.RUNS, 60)
        for round in range(2, 5):
            for run in runs:
                run.out("line %d\n" % round)
        streams.append(self.follow(ALL + "?from=start"))
        for stream in streams:
            first = 1 if stream is streams[-1] else 2
            stream.read_until("every line", lambda: len(stream.log_ids) >= self.RUNS * (5 - first), 60)
            for run in runs:
                self.assertEqual(stream.of(run), numbered(5 - first, first))
            self.assert_unique_ids(stream)
            self.assertEqual(stream.gaps(), [])
        later = self.server.run(lines=2)
        for stream in streams:
            self.assertEqual(stream.until_lines(later, 2), numbered(2))
        for run in runs[:100]:
            run.finish()
        for stream in streams:
            for run in runs[:100]:
                stream.until_status(run, "completed")


class Resuming(TestCase):
    """Clients that come back with an id: whoever they find has what was written since."""

    def back(self, stream):
        """Comes back with the last id that the stream had."""
        last = [event.id for event in stream.events if event.id][-1]
        stream.close()
        return last

    def missing(self, run, streams, of="stdout"):
        with open(os.path.join(run.path, "agent-%s.txt" % of)) as f:
            written = f.read().splitlines()
        have = {line for stream in streams for line in stream.of(run, of)}
        return [line for line in written if line not in have]

    def over_a_tick(self, stream, run, number):
        """Writes on until ids say that what was given before is on record: what is not may come again.
        Returns the number of the last line."""
        def tick_of(number):
            run.out("line %d\n" % number)
            stream.read_until("line %d" % number, lambda: stream.of(run)[-1] == "line %d" % number)
            return int(stream.log_ids[-1].partition(";")[0].split(".")[2], 16)
        number += 1
        now = tick_of(number)  # an id that came before may be of long ago
        tick = now
        while tick <= now + 1:
            number += 1
            tick = tick_of(number)
        return number

    def assert_order(self, stream):
        """In one connection each file's lines come in order, once."""
        for where, lines in stream.told.items():
            self.assertEqual(lines, sorted(set(lines), key=lambda line: int(line.split()[-1])), where)

    def test_what_was_written_meanwhile_comes_of_old_new_and_ended_runs(self):
        runs = [self.server.run(project="p-back", task="t", lines=3) for _ in range(4)]
        self.known(*runs)
        first = self.follow()
        for run in runs:
            first.until_status(run, "running")
            run.out(text(numbered(10, start=4)))
        for run in runs:
            first.until_lines(run, 10)
        last_id = self.back(first)
        for run in runs:
            run.out(text(numbered(20, start=14)))
            run.err(text(numbered(2)))
        late = self.server.run(project="p-back", task="t")
        late.out(text(numbered(7)))
        ended = self.server.run(project="p-back", task="t")
        ended.out(text(numbered(6)))
        runs[0].finish()
        ended.finish()
        self.known(*runs, late, ended)
        second = self.follow(last_id=last_id)
        for run in runs:
            second.read_until("all of " + run.id, lambda: "line 33" in second.of(run))
            second.until_lines(run, 2, "stderr")
        self.assertEqual(second.until_lines(late, 7), numbered(7))
        self.assertEqual(second.until_lines(ended, 6), numbered(6))
        second.until_complete(ended)
        second.until_complete(runs[0])
        for run in runs[1:]:
            self.assertEqual(second.statuses[run.id][0], "running")
        for run in runs:
            self.assertLessEqual(set(self.missing(run, [first, second])), set(numbered(3)))
        self.assertEqual(second.gaps(), [])
        self.assert_order(second)
        number = self.over_a_tick(second, runs[1], 33)
        third = self.follow(last_id=self.back(second))
        runs[1].out("line %d\n" % (number + 1))
        third.read_until("the next line",
                         lambda: third.of(runs[1])[-1:] == ["line %d" % (number + 1)])
        self.assertEqual(third.of(late), [])  # nothing new
        self.assertEqual(third.of(ended), [])
        self.assertNotIn(ended.id, third.completes)

    def test_a_file_that_was_rotated_meanwhile_comes_first(self):
        run = self.server.run(lines=1)
        self.known(run)
        first = self.follow()
        first.until_status(run, "running")
        run.out(text(numbered(4, start=2)))
        first.until_lines(run, 4)
        last_id = self.back(first)
        run.out(text(numbered(5, start=6)))
        path = os.path.join(run.path, "agent-stdout.txt")
        os.rename(path, path + ".1")
        run.out(text(numbered(5, start=11)))
        second = self.follow(last_id=last_id)
        second.read_until("all lines", lambda: "line 15" in second.of(run))
        self.assertLessEqual(set(numbered(15)) - set(first.of(run) + second.of(run)), {"line 1"})
        self.assert_order(second)
        self.assertEqual(second.gaps(), [])

    def test_a_run_that_was_deleted_meanwhile_is_gone(self):
        run = self.server.run(lines=2)
        self.known(run)
        first = self.follow()
        first.until_status(run, "running")
        run.out("line 3\n")
        first.until_lines(run, 1)
        # What was not written down is not known to be gone.
        self.over_a_tick(first, run, 3)
        last_id = self.back(first)
        shutil.rmtree(run.path)
        harness.wait_for("410", lambda: self.server.get("/api/v1/runs/" + run.id).status == 410)
        second = self.follow(last_id=last_id)
        second.wait("gone", run_id=run.id)

    def test_message_buses_and_events_are_resumed_as_well(self):
        run = self.server.run(project="p-kinds", task="t")
        bus = os.path.join(self.server.runs_dir, "p-kinds", "PROJECT-MESSAGE-BUS.md")
        events = os.path.join(run.path, "events.jsonl")
        number = 0

        def record(count):
            nonlocal number
            for _ in range(count):
                number += 1
                with open(bus, "a") as f:
                    f.write("---\nmsg_id: M-%d\ntype: INFO\n---\nbody %d\n" % (number, number))
                with open(events, "a") as f:
                    f.write('{"type":"log","note":%d}\n' % number)

        def collect(stream, name, key, have, want):
            while want not in have:
                have.add(stream.wait(name).data.get(key))

        record(3)
        self.known(run)
        for path, name, key, what in (("/api/v1/messages/stream", "message", "msg_id", "M-%d"),
                                      ("/api/stream", "event", "seq", "%d")):
            have = set()
            stream = self.open(path + "?from=start")
            collect(stream, name, key, have, what % number if name == "message" else number)
            for _ in range(3):
                last_id = [event.id for event in stream.events if event.id][-1]
                stream.close()
                record(30)
                stream = self.open(path, last_id=last_id)
                collect(stream, name, key, have, what % number if name == "message" else number)
            wanted = {what % n if name == "message" else n for n in range(1, number + 1)}
            self.assertEqual(wanted - have, set())
            self.assertEqual([e for e in stream.events if e.name == "gap"], [])
            stream.close()


class Restarts(harness.TestCase):
    def test_all_processes_are_started_anew_and_nothing_is_missed(self):
        with harness.Server(workers=2) as server:
            runs = [server.run(project="p-%d" % n, task="t") for n in range(20)]
            harness.wait_for("all runs are known", lambda: len(
                server.get("/api/v1/runs?limit=100").json()["runs"]) == 20)
            written, have, streams, last_id = 0, [set() for _ in runs], [], None
            for round_number in range(4):
                stream = server.open(ALL + ("" if last_id else "?from=start"), kind=Many,
                                     last_id=last_id)
                for run in runs:
                    run.out(text(numbered(25, start=written + 1)))
                written += 25
                wanted = "line %d" % written
                stream.read_until("the last lines", lambda: all(
                    wanted in stream.of(run) for run in runs), within_s=30)
                for run, lines in zip(runs, have):
                    lines.update(stream.of(run))
                self.assertEqual(stream.gaps(), [])
                last_id = [event.id for event in stream.events if event.id][-1]
                for run in runs: # which nobody sees
                    run.out(text(numbered(5, start=written + 1)))
                written += 5
                if round_number % 2:
                    server.stop_daemon()
                else:
                    pids = server.worker_pids()
                    os.kill(server.daemon.pid, signal.SIGKILL)
                    for pid in pids:
                        os.kill(pid, signal.SIGKILL)
                    server.daemon.wait()
                stream.close()
                server.start_daemon()
                harness.wait_for("ready", lambda: server.get("/api/v1/ready").status == 200)
            stream = server.open(ALL, kind=Many, last_id=last_id)
            stream.read_until("the last lines", lambda: all(
                "line %d" % written in stream.of(run) for run in runs), within_s=30)
            for run, lines in zip(runs, have):
                lines.update(stream.of(run))
                self.assertEqual(set(numbered(written)) - lines, set())
            self.assertEqual(stream.gaps(), [])
            stream.close()


if __name__ == "__main__":
    harness.main()
