#!/usr/bin/env python3
"""No descriptors are left."""

import errno

import faults


class Descriptors(faults.TestCase):
    workers = 1

    def test_who_cannot_be_accepted_waits_and_is_served(self):
        run = self.server.run(lines=3)
        pid = self.server.worker_pids()[0]
        with self.faults.rule("accept", errno.EMFILE, pid=pid) as rule:
            rule.wait(0)
            import threading
            result = []
            t = threading.Thread(target=lambda: result.append(self.server.stream(run)))
            t.start()
            rule.wait(3)
        t.join()
        result[0].wait_lines(3)
        result[0].close()
        self.assertEqual(self.count_log("accept_failed"), 1)


if __name__ == "__main__":
    faults.main()
