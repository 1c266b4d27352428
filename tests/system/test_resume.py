#!/usr/bin/env python3
"""Client reconnect: after each position everything that follows, exactly once."""

import os
import urllib.parse

import harness


class Resume(harness.TestCase):
    def ended_run(self, lines=20, errs=5):
        run = self.server.run(lines=lines)
        run.err("".join("e%d\n" % n for n in range(1, errs + 1)))
        run.finish()
        return run

    def got(self, run, last_id):
        stream = self.stream(run, last_id=last_id)
        stream.read_until_complete()
        return stream

    def numbers(self, stream, which="stdout"):
        return [e.data["n"] for e in stream.logs(which)]

    def test_after_each_id_the_server_sent_comes_the_rest_once(self):
        run = self.ended_run()
        first = self.stream(run)
        first.read_until_complete()
        everything = [(e.data["stream"], e.data["n"]) for e in first.logs()]
        for i, event in enumerate(first.logs()):
            again = self.got(run, event.id)
            rest = [(e.data["stream"], e.data["n"]) for e in again.logs()]
            self.assertEqual(sorted(everything[i + 1:]), sorted(rest))
            self.assertNotIn("gap", again.names())

    def test_the_id_of_a_status_is_the_clients_own_position(self):
        run = self.server.run(lines=5)
        first = self.stream(run)
        first.wait_lines(5)
        run.info("paused")
        status = first.wait("status", status="paused")
        first.close()
        run.out("line 6\n")
        again = self.stream(run, last_id=status.id)
        self.assertEqual(again.wait_lines(1), ["line 6"])
        self.assertNotIn("gap", again.names())

    def test_the_id_of_the_first_status_gives_everything(self):
        run = self.server.run(lines=5)
        first = self.stream(run)
        status = first.next()
        first.close()
        self.assertEqual(status.name, "status")
        again = self.stream(run, last_id=status.id)
        again.wait_lines(5)
        self.assertEqual(self.numbers(again), [1, 2, 3, 4, 5])
        self.assertNotIn("gap", again.names())

    def test_a_plain_number_is_lines_of_each_file(self):
        stream = self.got(self.ended_run(), "3")
        self.assertEqual(self.numbers(stream), list(range(4, 21)))
        self.assertEqual(self.numbers(stream, "stderr"), [4, 5])

    def test_a_plain_number_beyond_the_end_means_the_end(self):
        stream = self.got(self.ended_run(), "15")
        self.assertEqual(self.numbers(stream), list(range(16, 21)))
        self.assertEqual(self.numbers(stream, "stderr"), [])
        self.assertNotIn("gap", stream.names())

    def test_lines_of_each_file_by_name_in_every_spelling(self):
        run = self.ended_run()
        for text in ("s=18;e=4", "e=4;s=18", "stdout=18;stderr=4", "out=18,err=4", "s:18|e:4",
                     "stdout:18,stderr:4"):
            with self.subTest(text):
                stream = self.got(run, text)
                self.assertEqual(self.numbers(stream), [19, 20])
                self.assertEqual(self.numbers(stream, "stderr"), [5])
                self.assertNotIn("gap", stream.names())

    def test_a_missing_part_means_0(self):
        stream = self.got(self.ended_run(), "s=18")
        self.assertEqual(self.numbers(stream), [19, 20])
        self.assertEqual(self.numbers(stream, "stderr"), [1, 2, 3, 4, 5])
        stream = self.got(self.ended_run(), "e=4")
        self.assertEqual(self.numbers(stream), list(range(1, 21)))

    def test_named_lines_beyond_the_end_are_a_gap(self):
        stream = self.got(self.ended_run(), "s=999;e=5")
        gaps = [e.data for e in stream.events if e.name == "gap"]
        self.assertEqual([g["stream"] for g in gaps], ["stdout"])
        self.assertEqual(self.numbers(stream), list(range(1, 21)))
        self.assertEqual(self.numbers(stream, "stderr"), [])

    def test_what_cannot_be_parsed_is_a_gap_and_the_start(self):
        run = self.ended_run()
        for text in ("nonsense", "-1", "s=x", "s=1;s=2x", "s=",
                     "x" * 3000, "%00", "\"'<>", "s=1;e=1;zz=1;;;", "1 2"):
            with self.subTest(text[:20]):
                stream = self.got(run, text)
                self.assertEqual(self.numbers(stream), list(range(1, 21)))
                self.assertIn("cursor_invalid",
                              [e.data["reason"] for e in stream.events if e.name == "gap"])

    def test_an_id_whose_checks_do_not_hold_is_not_believed(self):
        run = self.ended_run()
        first = self.stream(run)
        first.wait_lines(10)
        last = first.last_id
        first.close()
        other = self.ended_run()
        stream = self.got(other, last)  # another run's files
        self.assertIn("gap", stream.names())
        self.assertEqual(self.numbers(stream), list(range(1, 21)))
        for at in range(len(last)):
            mangled = last[:at] + ("0" if last[at] != "0" else "1") + last[at + 1:]
            stream = self.stream(run, last_id=mangled)
            stream.read_until_complete()  # whatever it says, it holds

    def test_a_file_truncated_meanwhile_is_a_gap(self):
        run = self.server.run(lines=20)
        first = self.stream(run)
        first.wait_lines(20)
        first.close()
        os.truncate(run.stdout, 0)
        run.out("new\n")
        again = self.stream(run, last_id=first.last_id)
        self.assertEqual(again.wait_lines(1), ["new"])
        self.assertIn("gap", again.names())

    def test_a_file_rewritten_meanwhile_to_the_same_size_is_a_gap(self):
        run = self.server.run(lines=20)
        first = self.stream(run)
        first.wait_lines(20)
        first.close()
        size = os.path.getsize(run.stdout)
        with open(run.stdout, "r+b") as f:
            f.write(b"other\n" * (size // 6 + 1))
            f.truncate(size)
        again = self.stream(run, last_id=first.last_id)
        again.wait("gap", stream="stdout")
        again.wait("log", line="other", n=1)

    def test_lines_of_the_file_that_was_rotated_away_come_first(self):
        run = self.server.run(lines=20)
        first = self.stream(run)
        first.wait_lines(10)
        last = first.logs()[9].id
        first.close()
        os.rename(run.stdout, run.stdout + ".1")
        run.out("new\n")
        again = self.stream(run, last_id=last)
        again.wait("log", line="new")
        self.assertEqual(again.whole_lines(),
                         ["line %d" % n for n in range(11, 21)] + ["new"])

    def test_lines_of_a_copy_that_was_rotated_away_come_first(self):
        run = self.server.run(lines=20)
        first = self.stream(run)
        first.wait_lines(10)
        last = first.logs()[9].id
        first.close()
        with open(run.stdout, "rb") as f, open(run.stdout + ".1", "wb") as copy:
            copy.write(f.read())
        os.truncate(run.stdout, 0)
        run.out("new\n")
        again = self.stream(run, last_id=last)
        again.wait("log", line="new")
        self.assertEqual(again.whole_lines(),
                         ["line %d" % n for n in range(11, 21)] + ["new"])

    def test_an_id_in_the_query_may_be_encoded(self):
        run = self.ended_run()
        first = self.stream(run)
        first.wait_lines(10)
        stream = self.stream(run, "last_event_id=" + urllib.parse.quote(first.last_id))
        stream.read_until_complete()
        self.assertNotIn("gap", stream.names())
        self.assertLess(len(stream.logs("stdout")), 20)

    def test_reconnecting_again_and_again_under_a_writer_gives_each_line_once(self):
        run = self.server.run()
        numbers, last, written = [], None, 0
        while len(numbers) < 600:
            stream = self.stream(run, last_id=last)
            for _ in range(3):
                run.out("".join("line %d\n" % n for n in range(written + 1, written + 11)))
                written += 10
            have = len(numbers)
            while len(numbers) < min(have + 17, written):
                event = stream.wait("log")
                self.assertFalse(event.data.get("partial"))
                numbers.append(event.data["n"])
                last = event.id
            self.assertNotIn("gap", stream.names())
            stream.close()
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)))

    def test_resuming_at_the_end_of_a_long_log_is_not_slower_for_its_length(self):
        run = self.server.run()
        with open(run.stdout, "wb") as f:
            for _ in range(64):
                f.write(b"0123456789abcdef" * 65535 + b"0123456789abcde\n")
            for n in range(1000):
                f.write(b"short %d\n" % n)
        tail = self.stream(run, "tail=1")
        last = tail.wait("log", 30).id
        tail.close()
        run.out("new\n")
        again = self.stream(run, last_id=last)
        self.assertEqual(again.wait_lines(1, within_s=5), ["new"])
        self.assertNotIn("gap", again.names())


if __name__ == "__main__":
    harness.main()
