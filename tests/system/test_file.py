#!/usr/bin/env python3
"""The stream of one file of a run: its text as it is, its end, and resuming by bytes."""

import os
import re

import harness


class File(harness.Stream):
    is_raw = True

    def content(self):
        """What the events are together, as their reader puts them together."""
        return "".join(e.text for e in self.events if e.name == "message")

    def until_content(self, text, within_s=15):
        while len(self.content()) < len(text):
            if self.next(within_s) is None:
                break
        return self.content()

    def names(self):
        return [e.name for e in self.events if e.name != "message"]


def as_it_arrives(data):
    """CRLF and CR are LF in an event stream; what is not UTF-8 is U+FFFD."""
    return re.sub(r"\r\n?", "\n", data.decode("utf-8", "replace"))


class TestCase(harness.TestCase):
    def task_run(self, **options):
        return self.server.run(project="proj", task="task", **options)

    def url(self, run, name=None, project="proj", task="task"):
        return "/api/projects/%s/tasks/%s/runs/%s/stream%s" % (
            project, task, run.id, "?name=" + name if name else "")

    def follow(self, run, name=None, query="", **options):
        url = self.url(run, name)
        return self.open(url + (("&" if name else "?") + query if query else ""), kind=File,
                         **options)

    def whole(self, run, name=None, **options):
        stream = self.follow(run, name, **options)
        last = stream.wait("done")
        self.assertIsNone(stream.next())
        return stream, last


class Names(TestCase):
    def test_each_file_by_its_name(self):
        run = self.task_run()
        for name in ("agent-stdout.txt", "agent-stderr.txt", "prompt.md", "output.md"):
            run.replace(name, "this is %s\n" % name)
        run.finish()
        for name, file in (("stdout", "agent-stdout.txt"), ("stderr", "agent-stderr.txt"),
                           ("prompt", "prompt.md"), ("output.md", "output.md"),
                           (None, "agent-stdout.txt")):
            stream, _ = self.whole(run, name)
            self.assertEqual(stream.headers["content-type"].partition(";")[0],
                             "text/event-stream")
            self.assertEqual(stream.content(), "this is %s\n" % file)
            self.assertEqual(stream.names(), ["done"])

    def test_errors(self):
        run = self.task_run(lines=1)
        for name in ("stdin", "output", "..%2frun-info.yaml", "run-info.yaml", "%00", "STDOUT"):
            self.assertEqual(self.server.get(self.url(run) + "?name=" + name).status, 400, name)
        self.assert_error(self.server.get(self.url(run, project="other")), 404, "NOT_FOUND")
        self.assert_error(self.server.get(self.url(run, task="other")), 404, "NOT_FOUND")
        self.assert_error(self.server.get(
            "/api/projects/proj/tasks/task/runs/nobody/stream?name=stdout"), 404, "NOT_FOUND")
        self.assertEqual(self.server.get(self.url(run, project="%2e%2e")).status, 400)
        self.assert_error(self.server.get(self.url(run), method="PATCH"), 405)
        self.assertEqual(self.server.get(self.url(run, "stdout"), method="HEAD").status, 200)

    def test_paths_of_run_info_beneath_the_runs_directory_are_followed(self):
        run = self.task_run()
        elsewhere = os.path.join(self.server.runs_dir, "proj", "task", "prompt-of-task.md")
        with open(elsewhere, "w") as f:
            f.write("asked for\n")
        result = os.path.join(run.path, "result.txt")
        with open(result, "w") as f:
            f.write("the result\n")
        run.info("completed", 0, prompt_path=elsewhere.replace("/proj/", "//proj//"),
                 output_path=result)
        self.assertEqual(self.whole(run, "prompt")[0].content(), "asked for\n")
        self.assertEqual(self.whole(run, "output.md")[0].content(), "the result\n")

    def test_paths_of_run_info_that_lead_out_are_not(self):
        secret = os.path.join(self.server.dir, "secret.txt")
        with open(secret, "w") as f:
            f.write("secret\n")
        runs_dir = self.server.runs_dir
        for path in (secret, "/etc/passwd", runs_dir + "/../secret.txt", "../../secret.txt",
                     runs_dir + "/proj/link.txt", runs_dir + "-else/x", runs_dir, "secret.txt"):
            run = self.task_run()
            link = os.path.join(runs_dir, "proj", "link.txt")
            if not os.path.islink(link):
                os.symlink(secret, link)
            run.replace("output.md", "its own\n")
            run.info("completed", 0, output_path=path)
            # Either the run's own file, or nothing.
            stream = self.follow(run, "output.md")
            while stream.next(20):
                if stream.names():
                    break
            self.assertNotIn("secret", stream.content())
            self.assertNotIn("root:", stream.content())
            self.assertNotIn(self.server.dir, repr(stream.events))
            self.assertIn(stream.content(), ("its own\n", ""))


    def test_run_info_itself_is_not_shown(self):
        run = self.task_run()
        run.info("completed", 0, output_path=os.path.join(run.path, "run-info.yaml"))
        self.assertEqual(self.whole(run, "output.md")[0].content(), "")


class Text(TestCase):
    TEXTS = {
        "lines": b"one\ntwo\n\nfour\n",
        "no newline at all": b"x",
        "no last newline": b"one\ntwo",
        "empty": b"",
        "newlines": b"\n\n\n",
        "crlf": b"one\r\ntwo\r\n\r\nfour\r\n",
        "cr": b"10%\r20%\r30%\r\rdone\n",
        "last is cr": b"one\r\ntwo\r",
        "colons and blanks": b": not a comment\n data: x\nid: 7\nevent: log\n\n  \nretry: 1\n",
        "utf-8": "žluťoučký 🐎\u2028\u2029\n".encode(),
        "not utf-8": b"a\xff\xfeb\xc3\n\xf0\x9f\x90\n\x80",
        "controls": b"\0\x01\x1b[31mred\x1b[0m\x7f\n",
        "bom": b"\xef\xbb\xbfbom\n",
        "a long line": b"x" * 300000 + b"\n" + b"y" * 100000,
        "long, of wide characters": "€🐎".encode() * 60000,
        "long, of crlf": b"\r\n" * 100000,
    }

    def test_put_together_the_events_are_the_file(self):
        for what, data in self.TEXTS.items():
            with self.subTest(what):
                run = self.task_run()
                run.out(data)
                run.finish()
                stream, done = self.whole(run, "stdout")
                self.assertTrue(stream.content() == as_it_arrives(data),
                                (stream.content()[:100], as_it_arrives(data)[:100]))
                self.assertEqual(done.id.partition(";")[0], str(len(data)))
                again = self.server.open(self.url(run, "stdout"), last_id=done.id)
                self.assertEqual(again.status, 204)

    def test_written_byte_by_byte_it_is_the_same(self):
        run = self.task_run()
        stream = self.follow(run, "stdout")
        data = "č\r\n🐎\r\r\n\nx\xff€\r".encode("latin-1", "ignore") + "č\r\n🐎\r\r\n€\n".encode()
        for n in range(len(data)):
            run.out(data[n:n + 1])
            # What is certain by now comes: all but the start of a sequence, or of a CRLF.
            certain = data[:n + 1].decode("utf-8", "ignore").rstrip("\r")
            stream.until_content(re.sub(r"\r\n?", "\n", certain))
        run.finish()
        stream.wait("done")
        self.assertEqual(stream.content(), as_it_arrives(data))

    def test_live_text_comes_as_it_is_written_whole_lines_or_not(self):
        run = self.task_run()
        stream = self.follow(run, "stdout")
        written = ""
        for text in ("a prompt? ", "yes", "\nthen ", "a line\n", "50%", "\r60%", "\n"):
            run.out(text)
            written += text
            self.assertEqual(stream.until_content(written), written.replace("\r", "\n"))

    def test_a_file_that_appears_late(self):
        run = self.task_run()
        stream = self.follow(run, "output.md")
        run.replace("output.md", "late\n")
        self.assertEqual(stream.until_content("late\n"), "late\n")
        run.finish()
        stream.wait("done")

    def test_a_file_that_never_appears_is_done_with_its_run(self):
        run = self.task_run()
        run.finish()
        stream, _ = self.whole(run, "output.md")
        self.assertEqual(stream.content(), "")


class Resuming(TestCase):
    DATA = "".join("line %d of the file\n" % n for n in range(2000)).encode() + b"end"

    def test_by_byte_offset_from_anywhere(self):
        run = self.task_run()
        run.out(self.DATA)
        run.finish()
        for offset in (0, 1, 17, 4096, len(self.DATA) - 1, len(self.DATA)):
            for options in ({"last_id": str(offset)}, {"query": "last_event_id=%d" % offset}):
                stream, _ = self.whole(run, "stdout", **options)
                self.assertEqual(stream.content(), self.DATA[offset:].decode())
                self.assertEqual(stream.names(), ["done"])

    def test_by_each_id_that_was_sent(self):
        run = self.task_run()
        first = self.follow(run, "stdout")
        texts = ["one\n", "two ", "three\r\n", "čtyři\n", "five"]
        for n, text in enumerate(texts, 1):
            run.out(text)
            first.until_content("".join(texts[:n]).replace("\r", ""))
        run.finish()
        first.wait("done")
        sent = [e for e in first.events if e.name == "message"]
        self.assertEqual(len({e.id for e in sent}), len(sent))
        for n, event in enumerate(sent):
            stream, _ = self.whole(run, "stdout", last_id=event.id)
            self.assertEqual(stream.content(), "".join(e.text for e in sent[n + 1:]))
            self.assertEqual(stream.names(), ["done"])

    def test_resuming_live(self):
        run = self.task_run()
        run.out("one\n")
        first = self.follow(run, "stdout")
        first.until_content("one\n")
        first.close()
        run.out("two\n")
        second = self.follow(run, "stdout", last_id=first.last_id)
        self.assertEqual(second.until_content("two\n"), "two\n")
        run.out("three\n")
        self.assertEqual(second.until_content("two\nthree\n"), "two\nthree\n")

    def test_what_cannot_be_a_position_is_a_gap_and_the_start(self):
        run = self.task_run()
        run.out("a file\n")
        run.finish()
        for last_id in ("x", "-1", "8", "s=1;e=0", "99999999999999999999999"):
            stream, _ = self.whole(run, "stdout", last_id=last_id)
            self.assertEqual(stream.names(), ["gap", "done"], last_id)
            self.assertEqual(stream.content(), "a file\n")

    def test_a_file_rewritten_meanwhile_is_a_gap(self):
        run = self.task_run()
        run.out("what was there before\n")
        first = self.follow(run, "stdout")
        first.until_content("what was there before\n")
        first.close()
        run.replace("agent-stdout.txt", "what is in there now, and longer\n")
        second = self.follow(run, "stdout", last_id=first.last_id)
        second.wait("gap")
        self.assertEqual(second.until_content("what is in there now, and longer\n"),
                         "what is in there now, and longer\n")

    def test_truncated_while_streaming_is_a_gap(self):
        run = self.task_run()
        run.out("before\n")
        stream = self.follow(run, "stdout")
        stream.until_content("before\n")
        os.truncate(run.stdout, 0)
        stream.wait("gap", reason="truncated")
        run.out("after\n")
        self.assertEqual(stream.until_content("before\nafter\n"), "before\nafter\n")

    def test_the_id_of_an_end_does_not_hold_when_there_is_more(self):
        run = self.task_run()
        run.out("one\n")
        run.finish()
        _, done = self.whole(run, "stdout")
        run.out("two\n")
        stream, _ = self.whole(run, "stdout", last_id=done.id)
        self.assertEqual(stream.content(), "two\n")


class Failing(TestCase):
    def test_what_is_no_file_is_waited_for_until_it_is_one(self):
        run = self.task_run()
        os.mkdir(run.stdout)
        stream = self.follow(run, "stdout")
        stream.text += stream.chunk()
        os.rmdir(run.stdout)
        run.out("a file now\n")
        self.assertEqual(stream.until_content("a file now\n"), "a file now\n")
        run.finish()
        stream.wait("done")


if __name__ == "__main__":
    harness.main()
