#!/usr/bin/env python3
"""runstreamctl clients, kick and broadcast: who is connected, and what is done about them."""

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
        self.assertEqual(set(streams), {client["client"] for client in self.clients()})
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


if __name__ == "__main__":
    harness.main()
