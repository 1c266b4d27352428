#!/usr/bin/env python3
"""Log tailing: what is done to the files while they are followed, and what is in them."""

import os
import socket
import time

import harness


class Content(harness.TestCase):
    config = {"api": {"sse": {"max_line_bytes": 4096}}}

    def streamed(self, data, wanted=None):
        """The log events of a finished run with this output."""
        run = self.server.run(status=None)
        run.out(data)
        run.finish()
        stream = self.stream(run)
        stream.read_until_complete()
        return stream

    def test_crlf_and_lf_both_end_a_line(self):
        stream = self.streamed(b"unix\ndos\r\n\r\n\nlone\rreturn\n\r\r\n")
        self.assertEqual(stream.lines(), ["unix", "dos", "", "", "lone\rreturn", "\r"])

    def test_nul_and_controls_and_ansi_pass_through_escaped(self):
        stream = self.streamed(b"nul\0here\n\x1b[31mred\x1b[0m\ttab\x07\x7f\n")
        self.assertEqual(stream.lines(), ["nul\0here", "\x1b[31mred\x1b[0m\ttab\x07\x7f"])
        raw = stream.logs()[0].text
        self.assertIn("\\u0000", raw)
        self.assertTrue(all(ord(c) >= 0x20 for c in raw))

    def test_utf8_passes_and_what_is_not_is_replaced_and_said(self):
        stream = self.streamed("žluťoučký kůň 🐎\n".encode() + b"bad \xff\xfe byte\n"
                               b"surrogate \xed\xa0\x80\noverlong \xc0\xaf\ncut \xf0\x9f\x90\n")
        self.assertEqual(stream.lines()[0], "žluťoučký kůň 🐎")
        self.assertNotIn("lossy", stream.logs()[0].data)
        self.assertEqual(stream.lines()[1], "bad \ufffd\ufffd byte")
        for event in stream.logs()[1:]:
            self.assertIs(event.data["lossy"], True)
            self.assertIn("\ufffd", event.data["line"])

    def test_a_character_cut_by_a_read_is_whole(self):
        line = "ěščřžýáíé€🐎" * 200
        stream = self.streamed(("%s\n" % line).encode() * 300)
        self.assertEqual(stream.whole_lines(), [line] * 300)
        self.assertFalse(any("lossy" in e.data for e in stream.logs()))

    def test_a_long_line_comes_in_fragments_that_join_to_it(self):
        long_line = "0123456789ž" * 5000
        stream = self.streamed(("before\n%s\nafter\n" % long_line).encode())
        self.assertEqual(stream.whole_lines(), ["before", long_line, "after"])
        fragments = [e for e in stream.logs() if e.data["n"] == 2]
        self.assertGreater(len(fragments), 10)
        self.assertTrue(all(e.data.get("partial") for e in fragments[:-1]))
        self.assertNotIn("partial", fragments[-1].data)
        self.assertTrue(all(len(e.data["line"].encode()) <= 4096 for e in fragments))
        self.assertEqual(len({e.id for e in stream.logs()}), len(stream.logs()))
        self.assertFalse(any("lossy" in e.data for e in fragments))

    def test_a_line_of_the_longest_length_comes_whole(self):
        stream = self.streamed("x" * 4096 + "\n" + "y" * 4096 + "\r\nz\n")
        self.assertEqual(stream.whole_lines(), ["x" * 4096, "y" * 4096, "z"])

    def test_a_megabyte_without_newline(self):
        stream = self.streamed(b"x" * (1 << 20))
        self.assertEqual("".join(stream.lines()), "x" * (1 << 20))
        self.assertNotIn("partial", stream.logs()[-1].data)
        self.assertEqual({e.data["n"] for e in stream.logs()}, {1})

    def test_the_end_of_a_run_finishes_a_line_without_newline(self):
        stream = self.streamed("one\nunfinished")
        self.assertEqual(stream.whole_lines(), ["one", "unfinished"])

    def test_the_end_of_a_run_finishes_a_line_of_which_a_part_was_sent(self):
        run = self.server.run()
        stream = self.stream(run)
        stream.wait("status")
        run.out("Password: ")
        event = stream.wait("log", line="Password: ")
        self.assertIs(event.data["partial"], True)
        run.finish()
        stream.read_until_complete()
        self.assertEqual(stream.whole_lines(), ["Password: "])
        self.assertEqual(stream.logs()[-1].data["line"], "")

    def test_an_unfinished_line_is_flushed_and_then_continued(self):
        run = self.server.run()
        stream = self.stream(run)
        stream.wait("status")
        run.out("10%")
        self.assertIs(stream.wait("log", line="10%").data["partial"], True)
        run.out("..20%")
        self.assertIs(stream.wait("log", line="..20%").data["partial"], True)
        run.out("..done\nnext\n")
        stream.wait_lines(2)
        self.assertEqual(stream.whole_lines(), ["10%..20%..done", "next"])
        self.assertEqual([e.data["n"] for e in stream.logs()], [1, 1, 1, 2])

    def test_no_fragment_ends_between_cr_and_lf(self):
        run = self.server.run()
        stream = self.stream(run)
        stream.wait("status")
        run.out("text\r")
        stream.wait("log", line="text")
        run.out("\nnext\n")
        stream.wait_lines(2)
        self.assertEqual(stream.whole_lines(), ["text", "next"])

    def test_who_comes_in_the_middle_of_a_line_resumes_inside_it(self):
        run = self.server.run()
        stream = self.stream(run)
        run.out("first part, ")
        last = stream.wait("log", line="first part, ").id
        stream.close()
        run.out("second part\n")
        again = self.stream(run, last_id=last)
        again.wait_lines(1)
        self.assertEqual(again.lines(), ["second part"])
        self.assertNotIn("gap", again.names())

    def test_a_hole_is_skipped_with_a_gap(self):
        run = self.server.run()
        run.out("before\n")
        with open(run.stdout, "r+b") as f:
            f.seek(64 << 20)
            f.write(b"after\n")
        run.finish()
        stream = self.stream(run)
        stream.read_until_complete(30)
        gap = [e for e in stream.events if e.name == "gap"]
        self.assertEqual(len(gap), 1, stream.events[:10])
        self.assertEqual(gap[0].data["reason"], "hole")
        self.assertEqual(gap[0].data["stream"], "stdout")
        self.assertEqual(stream.whole_lines()[0], "before")
        self.assertTrue(stream.whole_lines()[-1].endswith("after"))
        self.assertLess(len(stream.whole_lines()[-1]), 1 << 20)


class Rotation(harness.TestCase):
    def followed(self, text="old 1\nold 2\n"):
        run = self.server.run()
        run.out(text)
        stream = self.stream(run)
        stream.wait_lines(text.count("\n"))
        return run, stream

    def test_rename_and_create(self):
        run, stream = self.followed()
        os.rename(run.stdout, run.stdout + ".1")
        run.out("new 1\nnew 2\n")
        stream.wait_lines(4)
        self.assertEqual(stream.whole_lines(), ["old 1", "old 2", "new 1", "new 2"])

    def test_what_is_written_to_the_renamed_file_comes_first(self):
        run, stream = self.followed()
        with open(run.stdout, "ab") as old:
            os.rename(run.stdout, run.stdout + ".1")
            old.write(b"last of the old\n")
            old.flush()
            run.out("first of the new\n")
        stream.wait_lines(4)
        self.assertEqual(stream.whole_lines()[2:], ["last of the old", "first of the new"])

    def test_many_rotations_under_way_lose_nothing(self):
        run, stream = self.followed("0\n")
        for n in range(1, 6):
            os.rename(run.stdout, "%s.%d" % (run.stdout, n))
            run.out("%d\n" % n)
            stream.wait_lines(n + 1)
        self.assertEqual(stream.whole_lines(), [str(n) for n in range(6)])
        run.finish()
        stream.read_until_complete()

    def test_copy_and_truncate(self):
        run, stream = self.followed()
        with open(run.stdout, "rb") as f, open(run.stdout + ".1", "wb") as copy:
            copy.write(f.read())
        os.truncate(run.stdout, 0)
        gap = stream.wait("gap", stream="stdout")
        self.assertEqual(gap.data["reason"], "truncated")
        run.out("new\n")
        self.assertEqual(stream.wait_lines(3)[-1], "new")

    def test_truncated_and_grown_past_the_old_size(self):
        run, stream = self.followed()
        with open(run.stdout, "r+b") as f:
            f.truncate(0)
            f.write(b"".join(b"rewritten %d\n" % n for n in range(100)))
        gap = stream.wait("gap", stream="stdout")
        self.assertIn(gap.data["reason"], ("truncated", "replaced"))
        stream.wait("log", line="rewritten 99")
        after = stream.events[stream.events.index(gap) + 1:]
        self.assertEqual([e.data["line"] for e in after if e.name == "log"],
                         ["rewritten %d" % n for n in range(100)])

    def test_replaced_by_rename(self):
        run, stream = self.followed()
        run.replace("agent-stdout.txt", "replaced 1\nreplaced 2\n")
        stream.wait("log", line="replaced 2")
        self.assertEqual([l for l in stream.whole_lines() if l.startswith("replaced")],
                         ["replaced 1", "replaced 2"])

    def test_deleted_and_created_again(self):
        run, stream = self.followed()
        os.unlink(run.stdout)
        run.out("anew\n")
        stream.wait("log", line="anew")
        self.assertEqual(stream.whole_lines().count("anew"), 1)

    def test_a_partial_line_at_rotation_is_finished_first(self):
        run, stream = self.followed("one\n")
        run.out("cut")
        os.rename(run.stdout, run.stdout + ".1")
        run.out("new\n")
        stream.wait("log", line="new")
        text = "".join(e.data["line"] for e in stream.logs())
        self.assertEqual(text, "onecutnew")

    def test_a_file_that_appears_late(self):
        run = self.server.run()
        stream = self.stream(run)
        stream.wait("status")
        run.err("late\n")
        stream.wait_lines(1, "stderr")
        run.out("later\n")
        stream.wait_lines(1)


class Strange(harness.TestCase):
    def refused(self, make):
        """Whatever stands in place of stdout, stderr streams, and the run ends."""
        run = self.server.run()
        make(run.stdout)
        run.err("fine\n")
        stream = self.stream(run)
        stream.wait_lines(1, "stderr")
        run.finish()
        stream.read_until_complete()
        self.assertEqual(stream.lines(), [])
        return run

    def test_a_symbolic_link_is_refused(self):
        secret = os.path.join(self.server.dir, "secret")
        with open(secret, "w") as f:
            f.write("secret\n")
        self.refused(lambda path: os.symlink(secret, path))

    def test_a_symbolic_link_within_the_run_is_refused(self):
        self.refused(lambda path: os.symlink("agent-stderr.txt", path))

    def test_a_fifo_is_refused_and_blocks_nobody(self):
        self.refused(os.mkfifo)

    def test_a_directory_is_refused(self):
        self.refused(os.mkdir)

    def test_a_socket_is_refused(self):
        def bind(path):
            here = os.open(os.path.dirname(path), os.O_RDONLY)
            try:
                with socket.socket(socket.AF_UNIX) as s:
                    s.bind("/proc/self/fd/%d/%s" % (here, os.path.basename(path)))
            finally:
                os.close(here)
        self.refused(bind)

    def test_a_run_directory_that_is_a_link_is_not_followed(self):
        outside = os.path.join(self.server.dir, "outside")
        os.mkdir(outside)
        with open(os.path.join(outside, "agent-stdout.txt"), "w") as f:
            f.write("secret\n")
        os.symlink(outside, os.path.join(self.server.runs_dir, "linked"))
        self.assert_error(self.server.get("/api/v1/runs/linked/stream"), 404)

    def test_paths_in_run_info_do_not_lead_out_of_the_runs_directory(self):
        secret = os.path.join(self.server.dir, "secret.txt")
        with open(secret, "w") as f:
            f.write("secret\n")
        run = self.server.run(status=None)
        run.err("fine\n")
        run.info("running", stdout_path=secret)
        stream = self.stream(run)
        stream.wait_lines(1, "stderr")
        run.finish()
        stream.read_until_complete()
        self.assertNotIn("secret", stream.lines())

    def test_what_replaces_a_strange_thing_is_followed(self):
        run = self.server.run()
        os.mkdir(run.stdout)
        stream = self.stream(run)
        stream.wait("status")
        os.rmdir(run.stdout)
        run.out("now a file\n")
        stream.wait_lines(1)

    def test_permission_lost_and_given_back(self):
        run = self.server.run(lines=1)
        stream = self.stream(run)
        stream.wait_lines(1)
        os.chmod(run.stdout, 0)
        run_2 = self.stream(run, last_id="0")
        run_2.wait("status")
        os.chmod(run.stdout, 0o644)
        run.out("again\n")
        stream.wait_lines(2)
        self.assertEqual(run_2.wait_lines(2), ["line 1", "again"])


class Polling(Rotation):
    """All of it again where inotify is not to be had."""

    config = {"following": {"inotify": False}, "api": {"sse": {"poll_interval_ms": 20}}}

    def test_a_live_line_comes_within_the_interval(self):
        run, stream = self.followed()
        times = []
        for n in range(10):
            began = time.monotonic()
            run.out("live %d\n" % n)
            stream.wait_lines(3 + n)
            times.append(time.monotonic() - began)
        self.assertLess(sorted(times)[len(times) // 2], harness.seconds(0.5))


if __name__ == "__main__":
    harness.main()
