#!/usr/bin/env python3
"""Checks of the tree itself: layers, headers, pages, scripts, and what must not be in it."""

import concurrent.futures
import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests"))
import tap  # noqa: E402

BUILD = os.path.abspath(os.environ.get("RUNSTREAM_BUILDDIR") or os.path.join(TOP, "build"))

# From the lowest up; a layer includes itself and what is below it.
LAYERS = ["base", "model", "conf", "store", "shm", "follow", "stream"]
# On top of them, beside one another; each may also include these headers of others.
ROLES = {"worker": set(), "discovery": set(), "admin": set(),
         "supervisor": {"worker/worker.h", "discovery/discovery.h"}}


def sources(*patterns):
    return sorted(os.path.relpath(path, TOP) for pattern in patterns
                  for path in glob.glob(os.path.join(TOP, pattern), recursive=True))


def read(path):
    with open(os.path.join(TOP, path), errors="replace") as f:
        return f.read()


def may_include(layer, header):
    """Whether a file of a layer ("" for a main) may include a header of src/."""
    target = header.partition("/")[0]
    if target == layer:
        return True
    if layer == "":
        return target in LAYERS or target in ROLES
    if layer in ROLES:
        return target in LAYERS or header in ROLES[layer]
    return target in LAYERS and LAYERS.index(target) < LAYERS.index(layer)


class Layers(unittest.TestCase):
    def test_includes_run_one_way(self):
        wrong = []
        for path in sources("src/**/*.[ch]"):
            layer = os.path.dirname(path)[len("src/"):]
            for header in re.findall(r'(?m)^\s*#\s*include\s+"([^"]+)"', read(path)):
                if header == "config.h":
                    continue
                if not os.path.exists(os.path.join(TOP, "src", header)):
                    wrong.append("%s: \"%s\" is not relative to src/" % (path, header))
                elif not may_include(layer, header):
                    wrong.append("%s must not include %s" % (path, header))
        self.assertEqual(wrong, [])

    def test_the_rules_refuse_what_they_should(self):
        for layer, header in (("base", "model/run_id.h"), ("store", "shm/registry.h"),
                              ("worker", "supervisor/supervisor.h"), ("worker", "discovery/x.h"),
                              ("supervisor", "worker/client.h"), ("stream", "worker/worker.h")):
            self.assertFalse(may_include(layer, header), (layer, header))
        self.assertTrue(may_include("supervisor", "worker/worker.h"))
        self.assertTrue(may_include("", "admin/status.h"))

    def test_every_folder_of_sources_is_a_layer(self):
        folders = {os.path.dirname(p)[len("src/"):] for p in sources("src/*/**/*.[ch]")}
        self.assertLessEqual(folders, set(LAYERS) | set(ROLES))

    def test_each_header_compiles_alone(self):
        compile_command = os.environ.get("RUNSTREAM_COMPILE")
        if not compile_command:
            self.skipTest("RUNSTREAM_COMPILE is not set: run it by `make check`")

        def compiled(path):
            return path, subprocess.run(
                shlex.split(compile_command) + ["-I" + os.path.join(TOP, "src"), "-fsyntax-only",
                                                "-x", "c", "-Wno-unused", os.path.join(TOP, path)],
                cwd=BUILD, capture_output=True, text=True)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for path, result in pool.map(compiled, sources("src/**/*.h")):
                with self.subTest(path):
                    self.assertEqual(result.returncode, 0, result.stderr)

    def test_only_the_loop_uses_epoll(self):
        users = [p for p in sources("src/**/*.c")
                 if re.search(r"\bepoll_(create1?|ctl|wait|pwait2?)\s*\(", read(p))]
        self.assertLessEqual(set(users), {"src/base/loop.c"})


class Text(unittest.TestCase):
    TEXT = ("src/**/*.[ch]", "tests/**/*.[ch]", "tests/**/*.py", "tests/**/*.sh", "tests/**/*.js",
            "tests/**/*.mjs", "**/*.mk", "*.md", "man/*", "nginx/*", "etc/*", "systemd/*", "debian/*", "debian/source/*",
            "configure.ac",
            "Makefile.am", "quickstart", ".ci/run", "tests/browser/*.json")

    def files(self):
        return [p for p in sources(*self.TEXT) if os.path.isfile(os.path.join(TOP, p)) and
                not p.startswith("build") and "node_modules" not in p]

    def test_no_path_of_a_machine_and_no_registry_is_named(self):
        # In pieces, so that this file does not find itself.
        words = ["/wo" + "rk/", "/ho" + "me/[a-z]", "/ro" + "ot/", "/tmp/w" + "t-",
                 "registry" + r"\.npmjs", '"resol' + 'ved":']
        for path in self.files():
            for number, line in enumerate(read(path).splitlines(), 1):
                self.assertIsNone(re.search("|".join(words), line),
                                  "%s:%d: %s" % (path, number, line))

    def test_lines_end_without_blanks_and_files_with_a_newline(self):
        for path in self.files():
            text = read(path)
            self.assertTrue(not text or text.endswith("\n"), path)
            for number, line in enumerate(text.splitlines(), 1):
                self.assertEqual(line, line.rstrip(" \t"), "%s:%d" % (path, number))


class Tracked(unittest.TestCase):
    def test_nothing_generated_is_tracked(self):
        # -i -c: what is in the index although .gitignore says that it is made.
        if not os.path.exists(os.path.join(TOP, ".git")) or not shutil.which("git"):
            self.skipTest("not a checkout")
        result = subprocess.run(["git", "-C", TOP, "ls-files", "-i", "-c", "--exclude-standard"],
                                capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stdout), (0, ""), result.stderr)

    def test_what_is_compiled_is_in_the_archive_for_others(self):
        """As far as a Makefile says: what is named nowhere is not distributed."""
        named = set(re.findall(r"[\w./-]+\.[ch]\b", "".join(
            read(path) for path in sources("Makefile.am", "src/**/*.mk", "tests/**/*.mk"))))
        self.assertEqual([path for path in sources("src/**/*.[ch]", "tests/*/*.h")
                          if path not in named], [])


class Pages(unittest.TestCase):
    def test_pages_pass_mandoc(self):
        mandoc = shutil.which("mandoc")
        if not mandoc:
            self.skipTest("mandoc is not installed")
        for page in sources("man/*.[1-9]"):
            result = subprocess.run([mandoc, "-Tlint", "-W", "warning", os.path.join(TOP, page)],
                                    capture_output=True, text=True)
            self.assertEqual((result.returncode, result.stdout), (0, ""), page)

    def compare(self, program, page):
        binary = os.path.join(BUILD, program)
        if not os.access(binary, os.X_OK) or not os.path.exists(os.path.join(TOP, page)):
            self.skipTest("not built yet: %s, %s" % (program, page))
        def help_of(*words):
            return subprocess.run([binary, *words, "--help"], capture_output=True, text=True).stdout

        text = help_of()
        commands = re.search(r"(?ms)^Commands:$(.*?)^$", text)
        for command in re.findall(r"(?m)^  ([a-z-]+)", commands.group(1)) if commands else ():
            text += help_of(command)
            self.assertRegex(read(page), r"(?m)^\.(It )?Cm %s\b" % command, "not in the page")
        told = set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", text))
        # mdoc writes --word as "Fl -word", with the hyphens within it escaped or not.
        described = {w.replace("\\-", "-") for w in re.findall(
            r"Fl (?:\\-|-)([a-z](?:\\?-?[a-z])+)", read(page))}
        self.assertTrue(told)
        self.assertEqual(told - described, set(), "in --help, not in the page")
        self.assertEqual(described - told, set(), "in the page, not in --help")

    def test_runstreamd_help_and_page_have_the_same_options(self):
        self.compare("runstreamd", "man/runstreamd.8")

    def test_runstreamctl_help_and_page_have_the_same_options(self):
        self.compare("runstreamctl", "man/runstreamctl.1")


class LoggingPage(unittest.TestCase):
    """man/runstream-logging.7 against the events that the code logs."""

    def test_each_event_is_described_and_no_other(self):
        code = "\n".join(read(p) for p in sources("src/**/*.c"))
        logged = set(re.findall(r'\b(?:log_(?:error|warning|info|debug|access)|put_line)\('
                                r'(?:\w+(?:\.\w+)?,\s*)?\s*"([a-z_]+)"', code))
        logged |= set(re.findall(r'\bepisode_tell\([^"]*"([a-z_]+)"', code))
        self.assertIn("stream_ended", logged)
        section = re.search(r"(?ms)^\.Sh EVENTS$(.*?)^\.Sh ", read("man/runstream-logging.7")).group(1)
        described = re.findall(r"(?m)^\.It Li (\w+)$", section)
        self.assertEqual(described, sorted(logged))
        self.assertLess(len(logged), 128)  # LOG_EVENTS_MAX: floods of all of them are told apart

    def test_each_ending_is_described_and_no_other(self):
        words = re.findall(r'X\(COUNTERS_ENDED_\w+, "(\w+)"\)', read("src/shm/counters_list.h"))
        section = re.search(r"(?ms)^\.Ss Access lines$(.*?)^\.Sh ", read("man/runstream-logging.7")).group(1)
        self.assertEqual(re.findall(r"(?m)^\.It Li (\w+)$", section), words)

    def test_each_reason_not_to_be_ready_is_described_and_no_other(self):
        given = re.findall(r'\{ "(\w+)", "', read("src/worker/ready.c"))
        self.assertEqual(len(given), 4)
        part = re.search(r"(?ms)^\.It Pa /api/v1/ready$(.*?)^\.It Pa ", read("man/runstream-http.7")).group(1)
        self.assertEqual(re.findall(r"(?m)^\.It Li (\w+)$", part), given)


class HttpPage(unittest.TestCase):
    """man/runstream-http.7 against the table of routes, the events and the reasons in the code."""

    PAGE = "man/runstream-http.7"

    def routes(self):
        """Of the table in routes.c: (method, path, whether it is a stream), names of any kind as *."""
        rows = re.findall(r"(?m)^\t\{ \{ ([^}]*) \}, (true|false), (\w+), (\w+) \},$",
                          read("src/worker/routes.c"))
        self.assertGreater(len(rows), 10)
        for segments, stream, get, post in rows:
            path = "/".join(re.findall('"([^"]*)"', segments))
            if not path.startswith("/"):  # one that does is beneath no prefix
                path = "/api/" + path
            if get != "NULL":
                yield "GET", path, stream == "true"
            if post != "NULL":
                yield "POST", path, False

    def described(self):
        for words in re.findall(r"(?m)^\.It ((?:POST )?Pa /.*)$", read(self.PAGE)):
            method = "POST" if words.startswith("POST ") else "GET"
            path = words.partition("Pa ")[2].replace(" Ns Pa ", "").replace(" Ns Ar ", "\0")
            yield method, re.sub("\0[a-z]+", "*", path)

    def test_each_path_is_described_and_no_other(self):
        self.assertEqual(set(self.described()), {(m, p) for m, p, _ in self.routes()})

    def test_the_include_file_of_streams_takes_the_paths_of_streams(self):
        table = re.search(r"stream_paths\[\] = \{(.*?)\};", read("src/admin/nginx_templates.c"), re.S)
        taken = {"/api/" + p.replace("[^/]+", "*") for p in re.findall('"([^"]*)"', table.group(1))}
        self.assertEqual(taken, {p for _, p, stream in self.routes() if stream})

    def entries(self, text):
        """The words that .It lines of the page have for .Li."""
        return set(re.findall(r"(?m)^\.It Li (\w+)$", text))

    def page_of_events(self):
        """The list of events, and within it that of reasons."""
        section = re.search(r"(?ms)^\.Ss Events$(.*?)^\.Ss ", read(self.PAGE)).group(1)
        before, reasons, after = re.search(r"(?ms)(.*)^\.Bl -tag -width cursor_invalid$(.*?)^\.El$(.*)",
                                           section).groups()
        return before + after, reasons

    def test_each_event_is_described_and_no_other(self):
        code = "\n".join(read(p) for p in sources("src/model/*.c", "src/stream/*.c"))
        sent = set(re.findall(r'event_begin\(\w+, \w+, "(\w+)"\)', code))
        sent |= set(re.findall(r"event: (\w+)\\n", code))
        self.assertIn("log", sent)
        self.assertEqual(self.entries(self.page_of_events()[0]), sent)

    def test_each_reason_of_a_gap_is_described_and_no_other(self):
        code = [read(p) for p in sources("src/stream/*.c", "src/follow/*.c",
                                        "src/worker/stream_parameters.c")]
        given = {word for line in "\n".join(code).splitlines()
                 if re.search(r"reason\b|\blost\b|\bgive_gap\(|\bgive_up_resuming\(|\blose_current\(", line)
                 for word in re.findall(r'"([a-z_]+)"', line)}
        self.assertIn("truncated", given)
        self.assertEqual(self.entries(self.page_of_events()[1]), given)
        counted = set(re.findall(r'X\(COUNTERS_GAP_\w+, "(\w+)"\)', read("src/shm/counters_list.h")))
        self.assertEqual(counted - {"other"}, given)


class Scripts(unittest.TestCase):
    def test_scripts_pass_shellcheck(self):
        shellcheck = shutil.which("shellcheck")
        if not shellcheck:
            self.skipTest("shellcheck is not installed")
        for path in sources("quickstart", "bootstrap", ".ci/run", "tests/**/*.sh", "completion/runstreamctl",
                            "debian/*.post*"):
            if "node_modules" in path:
                continue
            result = subprocess.run([shellcheck, os.path.join(TOP, path)], capture_output=True,
                                    text=True)
            self.assertEqual(result.returncode, 0, result.stdout)

    def test_python_compiles(self):
        for path in sources("tests/**/*.py"):
            if "node_modules" not in path:
                compile(read(path), path, "exec")


if __name__ == "__main__":
    tap.main()
