#!/usr/bin/env python3
"""What one client of a run's stream gets, from the first byte to the end."""

import re
import time

import harness


class Streaming(harness.TestCase):
    def test_headers_and_first_bytes_come_at_once_for_a_run_without_output(self):
        run = self.server.run()
        stream = self.stream(run)
        self.assertEqual(stream.headers["content-type"].partition(";")[0], "text/event-stream")
        self.assertEqual(stream.headers["cache-control"], "no-cache")
        first = stream.chunk()
        self.assertTrue(first.startswith(b":"), first)
        stream.text += first
        stream.wait("status", run_id=run.id)
        comments, retries = stream.before_events
        self.assertTrue(comments)
        self.assertEqual(len(retries), 1)

    def test_each_client_is_told_a_retry_of_its_own(self):
        run = self.server.run()
        retries = set()
        for _ in range(8):
            with self.server.stream(run) as stream:
                stream.wait("status")
                retries.update(stream.retries)
        self.assertGreater(len(retries), 1)
        self.assertTrue(all(100 <= r <= 300 for r in retries), retries)

    def test_status_comes_at_connecting_and_at_each_change(self):
        run = self.server.run(project="alpha", task="one", status="queued")
        stream = self.stream(run)
        event = stream.next()
        self.assertEqual(event.name, "status")
        self.assertEqual(event.data["status"], "queued")
        self.assertEqual((event.data["run_id"], event.data["project_id"], event.data["task_id"]),
                         (run.id, "alpha", "one"))
        self.assertTrue(event.id)
        run.info("running")
        stream.wait("status", status="running")
        run.finish("failed", 3)
        event = stream.wait("status", status="failed")
        self.assertEqual(event.data["exit_code"], 3)
        stream.wait("complete", status="failed", exit_code=3)

    def test_status_comes_whatever_the_cursor(self):
        run = self.server.run(lines=3)
        self.assertEqual(self.stream(run, last_id="3").next().name, "status")
        # The gap first: a status has an id, and who came back with it would not be told again.
        stream = self.stream(run, last_id="nonsense")
        self.assertEqual([stream.next().name, stream.next().name], ["gap", "status"])

    def test_lines_that_are_there_come_first_and_then_live_ones(self):
        run = self.server.run(project="p1", task="t1", lines=3)
        run.err("warning\n")
        stream = self.stream(run)
        self.assertEqual(stream.wait_lines(3), ["line 1", "line 2", "line 3"])
        stream.wait_lines(1, "stderr")
        for n in range(4, 10):
            run.out("line %d\n" % n)
            self.assertEqual(stream.wait_lines(n)[-1], "line %d" % n)
        for event in stream.logs():
            data = event.data
            self.assertEqual((data["run_id"], data["project_id"], data["task_id"]),
                             (run.id, "p1", "t1"))
            self.assertRegex(data["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertNotIn("pos", data)
            self.assertNotIn("partial", data)
            self.assertNotIn("lossy", data)
        self.assertEqual([e.data["n"] for e in stream.logs("stdout")], list(range(1, 10)))
        self.assertEqual([e.data["n"] for e in stream.logs("stderr")], [1])

    def test_ids_say_the_lines_seen_and_are_unique_and_short(self):
        run = self.server.run(lines=50)
        run.err("".join("e%d\n" % n for n in range(50)))
        stream = self.stream(run)
        stream.wait_lines(50)
        stream.wait_lines(50, "stderr")
        seen = {"stdout": 0, "stderr": 0}
        for event in stream.logs():
            seen[event.data["stream"]] += 1
            self.assertRegex(event.id, r"^s=%d;e=%d(;|$)" % (seen["stdout"], seen["stderr"]))
            self.assertLessEqual(len(event.id), 100)
        ids = [e.id for e in stream.logs()]
        self.assertEqual(len(set(ids)), len(ids))

    def test_a_finished_run_is_streamed_whole_and_ends_with_complete(self):
        run = self.server.run(lines=1000, status=None)
        run.finish("completed", 0)
        stream = self.stream(run)
        events = stream.read_until_complete()
        self.assertEqual(stream.lines(), ["line %d" % n for n in range(1, 1001)])
        self.assertEqual(events[-1].name, "complete")
        self.assertEqual([e.data["status"] for e in events if e.name == "status"][-1], "completed")
        self.assertEqual(events[-1].data["run_id"], run.id)
        self.assertEqual(events[-1].data["status"], "completed")
        self.assertEqual(events[-1].data["exit_code"], 0)
        self.assertTrue(events[-1].id.endswith(";end=1"))
        self.assertTrue(stream.clean)

    def test_an_empty_status_with_an_exit_code_means_completed(self):
        run = self.server.run(lines=1, status=None)
        run.info("", 0)
        self.stream(run).wait("complete", status="completed")

    def test_lines_written_just_before_the_end_come_before_complete(self):
        run = self.server.run()
        stream = self.stream(run)
        stream.wait("status")
        run.out("".join("late %d\n" % n for n in range(500)))
        run.finish()
        run.out("after the status\n")
        stream.read_until_complete()
        self.assertEqual(stream.lines(), ["late %d" % n for n in range(500)] + ["after the status"])

    def test_who_comes_back_after_complete_gets_204(self):
        run = self.server.run(lines=2)
        run.finish()
        stream = self.stream(run)
        stream.read_until_complete()
        again = self.server.stream(run, last_id=stream.last_id)
        self.assertEqual(again.status, 204)
        again = self.server.stream(run, "last_event_id=" + stream.last_id.replace(";", "%3B"))
        self.assertEqual(again.status, 204)

    def test_who_comes_back_after_complete_gets_what_was_written_since(self):
        run = self.server.run(lines=2)
        run.finish()
        stream = self.stream(run)
        stream.read_until_complete()
        run.out("one more\n")
        again = self.stream(run, last_id=stream.last_id)
        again.read_until_complete()
        self.assertEqual(again.lines(), ["one more"])
        self.assertEqual(self.server.stream(run, last_id=again.last_id).status, 204)

    def test_a_run_that_goes_back_to_running_streams_again(self):
        run = self.server.run(lines=2)
        run.finish()
        stream = self.stream(run)
        stream.read_until_complete()
        run.info("running")
        harness.wait_for("the registry sees it", lambda: self.server.get(
            "/api/v1/runs/" + run.id).json()["status"] == "running")
        again = self.stream(run, last_id=stream.last_id)
        run.out("again\n")
        self.assertEqual(again.wait_lines(1), ["again"])
        self.assertNotIn("gap", again.names())
        run.finish("stopped", 1)
        again.read_until_complete()


class LooksAreFarApart(harness.TestCase):
    """What inotify tells is not held for the next look."""

    config = {"api": {"sse": {"poll_interval_ms": 60000}},
              "following": {"healthy_poll_interval_ms": 600000}}

    def test_a_live_line_is_sent_when_it_is_told(self):
        run = self.server.run(lines=1)
        stream = self.stream(run)
        stream.wait_lines(1)
        for n in range(2, 5):
            run.out("line %d\n" % n)
            stream.wait_lines(n)


class Options(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_10 = cls.server.run("ten", lines=10)
        cls.run_10.err("".join("e%d\n" % n for n in range(1, 11)))

    def got(self, query, stdout, stderr, last_id=None):
        stream = self.stream(self.run_10, query, last_id=last_id)
        stream.wait_lines(stdout)
        stream.wait_lines(stderr, "stderr")
        return ([e.data["n"] for e in stream.logs("stdout")],
                [e.data["n"] for e in stream.logs("stderr")])

    def test_tail_gives_the_last_lines_of_each_file(self):
        self.assertEqual(self.got("tail=3", 3, 3), ([8, 9, 10], [8, 9, 10]))
        self.assertEqual(self.got("tail=100", 10, 10)[0], list(range(1, 11)))

    def test_tail_then_live(self):
        run = self.server.run(lines=5)
        stream = self.stream(run, "tail=2")
        stream.wait_lines(2)
        run.out("line 6\n")
        stream.wait_lines(3)
        self.assertEqual([e.data["n"] for e in stream.logs()], [4, 5, 6])

    def test_tail_0_and_from_end_give_only_what_comes(self):
        for query in ("tail=0", "from=end"):
            run = self.server.run(lines=5)
            stream = self.stream(run, query)
            stream.wait("status")
            run.out("new\n")
            stream.wait_lines(1)
            self.assertEqual([(e.data["n"], e.data["line"]) for e in stream.logs()], [(6, "new")])

    def test_from_start_is_the_default(self):
        self.assertEqual(self.got("from=start", 10, 10), self.got("", 10, 10))

    def test_streams_chooses_files(self):
        for chosen, other in (("stdout", "stderr"), ("stderr", "stdout")):
            run = self.server.run(lines=2)
            run.err("err 1\nerr 2\n")
            run.finish()
            stream = self.stream(run, "streams=" + chosen)
            stream.read_until_complete()
            self.assertEqual(len(stream.logs(chosen)), 2)
            self.assertEqual(stream.logs(other), [])

    def test_a_cursor_wins_over_tail_and_from(self):
        self.assertEqual(self.got("tail=1", 2, 2, last_id="8"), ([9, 10], [9, 10]))
        self.assertEqual(self.got("from=end", 2, 2, last_id="8"), ([9, 10], [9, 10]))

    def test_last_event_id_may_be_in_the_query_and_the_header_wins(self):
        self.assertEqual(self.got("last_event_id=7", 3, 3), ([8, 9, 10], [8, 9, 10]))
        self.assertEqual(self.got("last_event_id=1", 2, 2, last_id="8"), ([9, 10], [9, 10]))

    def test_unknown_parameters_are_ignored(self):
        self.assertEqual(self.got("tail=1&cachebuster=1&x", 1, 1), ([10], [10]))

    def test_bad_parameters_are_400(self):
        for query in ("tail=-1", "tail=x", "tail=99999999999999999999999", "from=middle",
                      "streams=stdin", "wait_s=soon", "wait_s=-1"):
            with self.subTest(query):
                self.assert_error(self.server.get(
                    "/api/v1/runs/ten/stream?" + query, {"Accept": "text/event-stream"}), 400)

    def test_a_run_that_does_not_exist_yet_is_waited_for(self):
        stream = self.stream("comes-later", "wait_s=60")
        stream.text += stream.chunk()  # its first bytes come before the run
        run = self.server.run("comes-later", lines=2)
        stream.wait_lines(2)
        run.finish()
        stream.read_until_complete()

    def test_waiting_for_a_run_ends(self):
        began = time.monotonic()
        answer = self.server.get("/api/v1/runs/never-comes/stream?wait_s=1",
                                 {"Accept": "text/event-stream"})
        self.assertLess(time.monotonic() - began, harness.seconds(10))
        self.assertNotIn(b"event: log", answer.body)
        self.assertIn(answer.status, (200, 404))

    def test_every_line_of_real_sized_output_once_and_in_order(self):
        run = self.server.run(status="running")
        stream = self.stream(run)
        for part in range(50):
            run.out("".join("part %d line %d %s\n" % (part, n, "x" * (n * 7 % 300))
                            for n in range(400)))
        run.finish()
        stream.read_until_complete(60)
        self.assertEqual([e.data["n"] for e in stream.logs()], list(range(1, 20001)))
        with open(run.stdout) as f:
            self.assertEqual(stream.lines(), f.read().splitlines())

    def test_positions_in_the_ids_only_grow(self):
        stream = self.stream(self.run_10)
        stream.wait_lines(10)
        numbers = [int(re.match(r"s=(\d+)", e.id).group(1)) for e in stream.logs()]
        self.assertEqual(numbers, sorted(numbers))


if __name__ == "__main__":
    harness.main()
