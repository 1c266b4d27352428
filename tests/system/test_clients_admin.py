#!/usr/bin/env python3
"""runstreamctl clients, kick and broadcast: who is connected, and what is done about them."""

import json
import os
import signal
import socket

import harness


def stuck_client(server, run):
    """A client that never reads, with as small a window as there is."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    s.connect(("127.0.0.1", server.port))
    s.sendall(("GET /api/v1/runs/%s/stream HTTP/1.1\r\nHost: localhost\r\n"
               "Accept: text/event-stream\r\n\r\n" % run.id).encode())
    return s


class TestCase(harness.TestCase):
    def clients(self, *args):
        return self.server.ctl_json("clients", *args)["clients"]

    def wait_clients(self, count, *args):
        harness.wait_for("%d clients are listed" % count,
                         lambda: len(self.clients(*args)) == count)
        return self.clients(*args)

    def follow(self, run, **options):
        """A stream that has begun."""
        stream = self.stream(run, **options)
        stream.wait("status")
        return stream


class Clients(TestCase):
    def setUp(self):
        self.wait_clients(0)

    def test_all_clients_are_listed_with_what_they_stream(self):
        one = self.server.run(lines=3, project="proj", task="task")
        two = self.server.run(lines=1)
        streams = [self.follow(one), self.follow(one), self.follow(two)]
        streams[0].wait_lines(3)
        listed = self.wait_clients(3)
        self.assertEqual(len({client["client"] for client in listed}), 3)
        for client in listed:
            self.assertRegex(client["client"], r"^[12]-[1-9][0-9]*$")
            self.assertEqual(client["address"], "127.0.0.1")
            self.assertEqual(client["stream"], "log")
            self.assertRegex(client["since"], r"^20\d\d-.*Z$")
        self.assertEqual(sorted(client["run_id"] for client in listed),
                         [one.id, one.id, two.id])
        self.assertEqual({client["project_id"] for client in self.clients(one.id)}, {"proj"})
        self.assertEqual([client["run_id"] for client in self.clients(two.id)], [two.id])
        text = self.server.ctl("clients").stdout
        for client in listed:
            self.assertIn(client["client"] + " ", text)

        def caught_up():
            mine = self.clients(one.id)
            return all(client["bytes_behind"] == client["lines_behind"] == 0 and
                       client["events_sent"] >= 3 and client["bytes_sent"] > 300
                       for client in mine)
        harness.wait_for("figures of who has read all", caught_up)
        streams[0].close()
        self.wait_clients(2)

    def test_a_stuck_client_comes_first_and_can_be_kicked(self):
        run = self.server.run()
        prompt = self.follow(run)
        self.addCleanup(stuck_client(self.server, run).close)
        self.wait_clients(2)
        for _ in range(4):
            run.out(("x" * 1000 + "\n") * 5000)
        prompt.wait_lines(20000, within_s=30)

        def first_is_behind():
            listed = self.clients(run.id)
            return (listed[0]["bytes_behind"] or 0) > 1 << 20 and listed[1]["bytes_behind"] == 0
        harness.wait_for("the stuck one is far behind, and the other is not", first_is_behind)
        stuck, other = [client["client"] for client in self.clients(run.id)]
        self.server.ctl("kick", stuck)
        harness.wait_for("the stuck one is gone", lambda: (
            [client["client"] for client in self.clients()] == [other]))
        run.out("still here\n")
        self.assertEqual(prompt.wait_lines(20001)[-1], "still here")

    def test_a_kick_ends_one_stream_and_its_client_resumes(self):
        run = self.server.run(lines=5)
        streams = {}
        for _ in range(3):
            before = {client["client"] for client in self.clients()}
            stream = self.follow(run)
            stream.wait_lines(5)
            name, = {client["client"] for client in self.clients()} - before
            streams[name] = stream
        kicked = sorted(streams)[1]
        self.server.ctl("kick", kicked)
        stream = streams.pop(kicked)
        self.assertIsNone(stream.next())
        self.assertTrue(stream.clean, "it was cut off, not ended")
        harness.wait_for("the others are left", lambda: (
            set(streams) == {client["client"] for client in self.clients()}))
        run.out("line 6\n")
        for other in streams.values():
            self.assertEqual(other.wait_lines(6)[-1], "line 6")
        again = self.follow(run, last_id=stream.last_id)
        again.wait_lines(1)
        self.assertEqual([event.data["n"] for event in again.logs()], [6])
        # It is another client now: the old name is nobody's.
        names = {client["client"] for client in self.wait_clients(3)}
        self.assertNotIn(kicked, names)
        answer = self.server.ctl("kick", kicked, check=False)
        self.assertEqual(answer.returncode, 1)
        self.assertIn("there is no such client", answer.stderr)

    def test_who_waits_for_a_run_is_listed_and_can_be_kicked(self):
        waiting = self.stream("not-yet-there", "wait_s=60")
        client, = self.wait_clients(1)
        self.assertEqual(client["run_id"], "not-yet-there")
        self.assertIsNone(client["bytes_behind"])
        self.server.ctl("kick", client["client"])
        self.assertIsNone(waiting.next())

    def test_those_who_get_no_stream_are_not_listed(self):
        run = self.server.run(lines=1)
        self.server.get("/api/v1/runs/%s/stream" % run.id, method="HEAD")
        self.server.get("/api/v1/runs/nobody/stream")
        self.assertEqual(self.clients(), [])
        answer = self.server.ctl("clients", "nobody", check=False)
        self.assertEqual(answer.returncode, 1)
        self.assertIn("nobody", answer.stderr)

    def test_each_kind_of_stream_is_listed_as_what_it_is(self):
        run = self.server.run(lines=1, project="p-1", task="t-1")
        with open(os.path.join(self.server.runs_dir, "p-1", "PROJECT-MESSAGE-BUS.md"), "w"):
            pass
        self.follow(run).close()
        self.wait_clients(0)
        of_task = "/api/projects/p-1/tasks/t-1/runs/"
        paths = {
            "/api/v1/runs/%s/stream" % run.id: ("log", run.id, "p-1", "t-1"),
            "/api/v1/runs/stream/all": ("all", "", "", ""),
            of_task + "stream": ("task", "", "p-1", "t-1"),
            of_task + run.id + "/stream?name=stdout": ("file", run.id, "p-1", "t-1"),
            "/api/runs/%s/stream" % run.id: ("events", run.id, "p-1", "t-1"),
            "/api/stream": ("events", "", "", ""),
            "/api/projects/p-1/messages/stream": ("messages", "", "p-1", ""),
            "/api/v1/messages/stream": ("messages", "", "", ""),
        }
        for path in paths:
            stream = harness.Stream(self.server.port, path, {"Accept": "text/event-stream"})
            self.addCleanup(stream.close)
            self.assertEqual(stream.status, 200, path)
        self.assertEqual(sorted(paths.values()), sorted(
            tuple(client[name] for name in ("stream", "run_id", "project_id", "task_id"))
            for client in self.wait_clients(len(paths))))

        def measured():
            return all(client["bytes_behind"] == 0 for client in self.clients())
        harness.wait_for("they are measured", measured)

    def test_misuse_is_told(self):
        for words in (["kick"], ["kick", "17"], ["kick", "1-2", "3"]):
            answer = self.server.ctl(*words, check=False)
            self.assertEqual(answer.returncode, 2, words)
        for name in ("64-1", "1-999999"):
            answer = self.server.ctl("kick", name, check=False)
            self.assertEqual(answer.returncode, 1, name)


class Killed(TestCase):
    def test_a_killed_worker_takes_its_clients_off_the_list(self):
        run = self.server.run(lines=1)
        for _ in range(6):
            self.follow(run)
        listed = self.wait_clients(6)
        workers = {client["client"].split("-")[0] for client in listed}
        self.assertEqual(workers, {"1", "2"})
        of_second = {client["client"] for client in listed if client["client"][0] == "2"}
        numbers = [int(client["client"].split("-")[1]) for client in listed
                   if client["client"][0] == "1"]
        os.kill(self.server.worker_pids()[0], signal.SIGKILL)
        harness.wait_for("only those of the second are left", lambda: (
            {client["client"] for client in self.clients()} == of_second))
        harness.wait_for("the first is there again", lambda: self.server.worker_pids()[0])
        # Its successor goes on counting where it was.

        def someone_new():
            self.follow(run)
            return [int(client["client"].split("-")[1]) for client in self.clients()
                    if client["client"][0] == "1"]
        new = harness.wait_for("the first has clients again", someone_new)
        self.assertGreater(min(new), max(numbers))


class Full(TestCase):
    workers = 1
    config = {"server": {"max_clients_per_worker": 2},
              "api": {"sse": {"max_clients_per_run": 100}}}

    def test_more_clients_than_the_list_has_places_for_are_served_and_counted(self):
        run = self.server.run(lines=1)
        self.follow(run)
        self.follow(run)
        self.server.write_config(harness.merged(self.config, {
            "server": {"max_clients_per_worker": 10}}))
        self.server.ctl("reload")
        harness.wait_for("a third is let in", lambda: (
            self.stream(run).next().name == "status"))
        self.wait_clients(2)
        harness.wait_for("it is counted", lambda: (
            self.server.counters()["clients_unlisted"] >= 1))


class Broadcast(TestCase):
    def events(self, path):
        """A stream of recorded events that has begun."""
        stream = harness.Stream(self.server.port, path, {"Accept": "text/event-stream"})
        self.addCleanup(stream.close)
        self.assertEqual(stream.status, 200)
        return stream

    def on_both_workers(self, path, count):
        streams = [self.events(path) for _ in range(count)]
        harness.wait_for("they are on both workers", lambda: (
            {client["client"][0] for client in self.clients()
             if client["stream"] != "log"} == {"1", "2"}))
        return streams

    def test_an_announcement_to_all_reaches_streams_of_events_on_every_worker(self):
        run = self.server.run(lines=1)
        run.replace("events.jsonl", '{"type":"unit.started","unit":"a"}\n')
        log = self.follow(run)
        of_run = self.on_both_workers("/api/runs/%s/stream" % run.id, 4)
        of_all = self.on_both_workers("/api/stream", 4)
        for stream in of_run:
            stream.wait("event", seq=1)
        self.wait_clients(9)
        # A number that no parser may touch, and line ends between tokens.
        answer = self.server.ctl("broadcast", "--all", "--type", "deploy", "--data",
                                 '{"n": 1.50,\n\r"text": "a\\nb"}', "--json")
        self.assertEqual(json.loads(answer.stdout), {"workers": 2, "silent": 0})
        for stream in of_run + of_all:
            event = stream.wait("event", type="deploy")
            self.assertIsNone(event.id)
            self.assertEqual(event.data["data"], {"n": 1.5, "text": "a\nb"})
            self.assertIn('"n": 1.50', event.text)
            self.assertRegex(event.data["time"], r"^20\d\d-.*Z$")
            self.assertEqual(set(event.data), {"type", "time", "data"})
        # It is in no log, and in no file: what comes next is the second event.
        run.out("line 2\n")
        log.wait_lines(2)
        self.assertNotIn("event", log.names())
        self.server.ctl("broadcast", "--run", run.id, "--type", "unit.completed")
        for stream in of_run:
            event = stream.wait("event")
            self.assertEqual((event.data["seq"], event.data["type"]), (2, "unit.completed"))

    def test_one_to_a_run_is_recorded_for_those_who_come_later(self):
        run, other = self.server.run("told"), self.server.run("untold")
        harness.wait_for("it is known", lambda: self.server.ctl(
            "runs", run.id, check=False).returncode == 0)
        now = self.events("/api/runs/%s/stream" % run.id)
        of_other = self.events("/api/runs/%s/stream" % other.id)
        now.wait("state")
        self.server.ctl("broadcast", "--run", run.id, "--type", "deploy", "--data",
                        '{"unit":"auth","n":7}')
        later = self.events("/api/runs/%s/stream?from=start" % run.id)
        for stream in (now, later):
            event = stream.wait("event")
            self.assertEqual(event.id.split(";")[0], "1")
            self.assertEqual([event.data[name] for name in ("type", "unit", "n", "seq", "run_id")],
                             ["deploy", "auth", 7, 1, run.id])
        run.finish()
        answer = harness.wait_for("it has ended", lambda: next(
            (a for a in [self.server.ctl("broadcast", "--run", run.id, "--type", "late",
                                         check=False)] if a.returncode), None))
        self.assertEqual(answer.returncode, 1)
        self.assertIn("has ended", answer.stderr)
        other.finish()
        of_other.wait("complete")
        self.assertNotIn("event", of_other.names())

    def test_an_announcement_meets_a_worker_that_hangs(self):
        """It is told of, and in nobody's way."""
        pids = self.server.worker_pids()
        stream, = self.on_both_workers("/api/stream", 4)[:1]
        os.kill(pids[0], signal.SIGSTOP)
        try:
            def silent():
                answer = self.server.ctl("broadcast", "--all", "--type", "t", "--data",
                                         json.dumps("x" * 32000), "--json", check=False)
                return answer.returncode == 1 and json.loads(answer.stdout)["silent"] == 1
            harness.wait_for("its socket is full", silent)
        finally:
            os.kill(pids[0], signal.SIGCONT)
        self.assertEqual(self.server.worker_pids(), pids)


if __name__ == "__main__":
    harness.main()
