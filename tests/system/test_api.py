#!/usr/bin/env python3
"""The JSON answers: runs with their filters, one run, health, ready, version."""

import os
import re

import harness


class Api(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for n in range(6):
            cls.server.run("a-%d" % n, project="pa", task="t%d" % (n % 2),
                           status="running" if n < 4 else "queued")
        cls.server.run("b-0", project="pb", task="t0").finish("failed", 7)
        harness.wait_for("all are known", lambda: len(cls.ids(cls)) == 7)

    def ids(self, query=""):
        answer = self.server.get("/api/v1/runs" + query)
        assert answer.status == 200, answer.body
        return [r["run_id"] for r in answer.json()["runs"]]

    def test_all_runs_are_listed(self):
        self.assertEqual(sorted(self.ids()), ["a-0", "a-1", "a-2", "a-3", "a-4", "a-5", "b-0"])

    def test_filters_choose_by_status_project_and_task(self):
        self.assertEqual(sorted(self.ids("?status=queued")), ["a-4", "a-5"])
        self.assertEqual(self.ids("?status=failed"), ["b-0"])
        self.assertEqual(self.ids("?project_id=pb"), ["b-0"])
        self.assertEqual(sorted(self.ids("?project_id=pa&task_id=t1")), ["a-1", "a-3", "a-5"])
        self.assertEqual(self.ids("?project_id=nobody"), [])

    def test_pages_cover_every_run_once(self):
        seen, after = [], ""
        for _ in range(10):
            page = self.ids("?limit=2" + after)
            self.assertLessEqual(len(page), 2)
            if not page:
                break
            seen += page
            after = "&after=" + page[-1]
        self.assertEqual(sorted(seen), sorted(self.ids()))
        self.assertEqual(len(set(seen)), 7)

    def test_bad_filters_are_400(self):
        for query in ("?limit=x", "?limit=-1", "?project_id=..", "?task_id=a%2Fb"):
            with self.subTest(query):
                self.assert_error(self.server.get("/api/v1/runs" + query), 400)

    def test_one_run_tells_its_state_and_keeps_its_secrets(self):
        answer = self.server.get("/api/v1/runs/b-0")
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.headers["content-type"].startswith("application/json"))
        run = answer.json()
        self.assertEqual((run["run_id"], run["project_id"], run["task_id"], run["status"],
                          run["exit_code"], run["clients"]), ("b-0", "pb", "t0", "failed", 7, 0))
        for secret in (b"cwd", b"commandline", b"secret", b"_path", self.server.dir.encode()):
            self.assertNotIn(secret, answer.body)

    def test_health_ready_and_version(self):
        self.assertEqual(self.server.get("/api/v1/health").json()["status"], "ok")
        self.assertEqual(self.server.get("/api/v1/ready").status, 200)
        version = self.server.get("/api/v1/version").json()["version"]
        self.assertRegex(version, r"^\d+\.\d+\.\d+")
        told = self.server.ctl("--version").stdout
        self.assertIn(version, re.findall(r"\d+\.\d+\.\d+\S*", told))

    def test_ready_says_why_it_is_not_and_health_is_another_answer(self):
        with harness.Server(workers=1) as server:
            elsewhere = server.runs_dir + ".elsewhere"
            os.rename(server.runs_dir, elsewhere)

            def reason():
                answer = server.get("/api/v1/ready")
                return answer.status == 503 and self.assert_error(answer, 503)["details"]["reason"]
            harness.wait_for("it is missed", lambda: reason() == "runs_dir_missing")
            self.assertEqual(server.get("/api/v1/health").status, 200)
            os.rename(elsewhere, server.runs_dir)
            harness.wait_for("it is ready again", lambda: not reason())

    def test_an_instance_that_stops_is_alive_and_not_ready(self):
        with harness.Server(workers=1, config={"server": {"drain_ms": 60000}}) as server:
            run = server.run(lines=1)
            with server.stream(run) as stream:
                stream.wait_lines(1)
                server.daemon.terminate()

                def reason():
                    answer = server.get("/api/v1/ready")
                    return answer.status == 503 and \
                        self.assert_error(answer, 503)["details"]["reason"]
                harness.wait_for("it says so", lambda: reason() == "draining")
                self.assertEqual(server.get("/api/v1/health").status, 200)
                self.assertEqual(server.get("/api/v1/runs/" + run.id).status, 200)
            self.assertEqual(server.daemon.wait(harness.seconds(20)), 0)

    def test_answers_say_their_length_and_are_not_cached(self):
        answer = self.server.get("/api/v1/runs")
        self.assertIn(answer.headers["cache-control"], ("no-cache", "no-store"))
        self.assertEqual(int(answer.headers["content-length"]), len(answer.body))


if __name__ == "__main__":
    harness.main()
