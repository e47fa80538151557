# kvcli_test.py: the command-line tool against a real server, as people and scripts use it.
import base64
import contextlib
import json
import os
import pty
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from kvcli_case import EVERY_BYTE, KVCLI, START_SECONDS, KvcliCase, Server


class KvcliTest(KvcliCase):
    def test_get_gives_the_exact_bytes_that_put_took(self):
        for value in (b"", b"text", b"line\n", EVERY_BYTE, EVERY_BYTE * 4096):
            self.done("put", "key", "-", given=value)
            self.assertEqual(self.done("get", "key"), value)
            self.done("put", "key", "--file", self.write("value", value))
            self.assertEqual(self.done("get", "--verify", "key"), value)
        self.done("put", "key", "argument")
        self.assertEqual(self.done("get", "key"), b"argument")

    def test_get_on_a_terminal_escapes_and_ends_the_line(self):
        self.done("put", "key", "-", given=b"a\x1b\n")
        outer, inner = open_terminal(self)
        env = dict(os.environ, KVD_SERVER=self.server.address)
        self.assertEqual(subprocess.call([KVCLI, "get", "key"], stdout=inner, env=env), 0)
        os.close(inner)
        self.assertEqual(os.read(outer, 100), b"a\\x1b\\n\r\n")
        os.close(outer)

    def test_binary_keys_are_given_with_escapes(self):
        self.done("put", "-e", r"\x00\n\xff", r"\x01\\")
        self.assertEqual(self.done("get", "-e", r"\x00\n\xff"), b"\x01\\")
        self.assertEqual(self.done("scan"), b"\\x00\\n\\xff\t\\x01\\\\\n")
        entry = self.json("scan")
        self.assertEqual(base64.b64decode(entry["key_base64"]), b"\x00\n\xff")
        self.assertEqual(entry["value"], "\x01\\")
        self.done("del", "-e", r"\x00\n\xff")
        self.assertEqual(self.done("count"), b"0\n")

    def test_a_retry_that_is_too_long_is_refused(self):
        self.assertIn("at most 5m", self.refused(2, "put", "k", "v", "--retry", "10m"))
        self.done("put", "k", "v", "--retry", "5m")

    def test_absent_keys_exit_with_1(self):
        self.assertIn("no such key", self.refused(1, "get", "absent"))
        self.refused(1, "meta", "absent")
        self.refused(1, "del", "absent")
        self.assertEqual(self.run_kvcli("exists", "absent").returncode, 1)
        self.assertEqual(self.done("del", "--force", "absent"), b"")
        self.done("put", "key", "1")
        self.assertEqual(self.done("exists", "key"), b"")
        self.refused(1, "mget", "key", "absent")

    def test_del_takes_many_and_tells_of_each(self):
        self.done("put", "a", "1")
        self.done("put", "c", "1")
        run = self.run_kvcli("--json", "del", "a", "b", "c")
        self.assertEqual(run.returncode, 1)
        self.assertEqual([json.loads(line) for line in run.stdout.splitlines()],
                         [{"key": "a", "deleted": True}, {"key": "b", "deleted": False},
                          {"key": "c", "deleted": True}])

    def test_conditions_decide(self):
        self.refused(1, "put", "key", "v", "--if-present")
        version = self.json("put", "key", "v1", "--if-absent")["version"]
        self.refused(1, "put", "key", "v2", "--if-absent")
        self.done("put", "key", "v2", "--if-version", str(version))
        self.refused(1, "put", "key", "v3", "--if-version", str(version))
        self.done("put", "key", "v3", "--if-present")
        self.assertEqual(self.done("get", "key"), b"v3")
        self.refused(1, "del", "key", "--if-version", str(version))

    def test_a_ttl_ends(self):
        self.done("put", "key", "v", "--ttl", "1h")
        self.assertAlmostEqual(self.json("meta", "key")["expires_at_ms"] / 1000, time.time() + 3600, delta=60)
        began = time.monotonic()
        self.done("put", "key", "v", "--ttl", "300ms")
        while self.run_kvcli("get", "key").returncode == 0:
            self.assertLess(time.monotonic() - began, START_SECONDS)
        self.assertGreater(time.monotonic() - began, 0.29)
        self.refused(1, "get", "key")

    def test_meta_tells_length_flags_and_checksum(self):
        self.done("put", "key", "12345", "--flags", "77", "-d", "memory")
        meta = self.json("meta", "key", "--verify")
        self.assertEqual((meta["length"], meta["flags"], meta["expires_at_ms"]), (5, 77, 0))
        self.assertRegex(meta["checksum"], r"\A[0-9a-f]{16}\Z")
        self.assertIn(b"length\t5\n", self.done("meta", "key"))

    def test_mget_gives_values_in_the_order_asked(self):
        self.done("put", "a", "1")
        self.done("put", "b", "x\ty")
        self.assertEqual(self.done("mget", "b", "a"), b"b\tx\\ty\na\t1\n")

    def test_namespaces_keep_keys_apart(self):
        self.done("put", "key", "outside")
        self.done("-n", "other", "put", "key", "inside")
        self.assertEqual(self.done("get", "key"), b"outside")
        self.assertEqual(self.done("--namespace", "other", "get", "key"), b"inside")
        self.done("-n", "other", "del", "key")

    # --- ranges

    def test_scan_and_count_take_prefixes_ranges_limits_and_directions(self):
        for key in ("a1", "a2", "b1", "b2", "c"):
            self.done("put", key, key.upper())
        keys = lambda *words: self.done("scan", "--keys", *words).decode().split()
        self.assertEqual(keys(), ["a1", "a2", "b1", "b2", "c"])
        self.assertEqual(keys("a"), ["a1", "a2"])
        self.assertEqual(keys("--from", "a2", "--to", "b2"), ["a2", "b1"])
        self.assertEqual(keys("--reverse", "--limit", "2"), ["c", "b2"])
        self.assertEqual(keys("--limit", "0"), [])
        self.assertEqual(self.done("scan", "c"), b"c\tC\n")
        self.assertEqual(self.done("count", "b"), b"2\n")
        self.assertEqual(self.json("count", "--from", "b"), {"count": 3})
        self.assertIn("not both", self.refused(2, "scan", "a", "--from", "b"))

    def test_scan_goes_through_many_pages(self):
        lines = b"".join(b"k%05d\t%d\n" % (i, i) for i in range(5000))
        self.done("import", "-", "--format", "tsv", given=lines)
        self.assertEqual(self.done("scan"), lines)
        self.assertEqual(self.done("scan", "--reverse"),
                         b"".join(reversed(lines.splitlines(keepends=True))))

    # --- batches

    def test_a_batch_is_pipelined_or_atomic(self):
        lines = b"# a comment\nput 'a b' \"x\\x00y\"\n\nput k 1\ndel k\nput k 2\n"
        for words in (("batch",), ("batch", "--atomic")):
            self.clear()
            self.assertEqual(self.json(*words, given=lines)["done"], 4)
            self.assertEqual(self.done("scan"), b"a b\tx\\x00y\nk\t2\n")

    def test_a_bad_line_stops_a_batch_and_atomic_ones_leave_nothing(self):
        error = self.refused(2, "batch", "--atomic", given=b"put a 1\nput b\n")
        self.assertIn("line 2", error)
        self.assertEqual(self.done("count"), b"0\n")
        self.assertIn("quote", self.refused(2, "batch", given=b"put a '1\n"))
        lines = b"# numbers\nput a 1\n\nadd a 1\nadd a 2\nput b x\nadd b 1\n"
        error = self.refused(4, "batch", "--atomic", given=lines)
        self.assertIn("line 7: ", error)
        self.assertEqual(self.done("count"), b"0\n")

    # --- import, export, verify

    def test_a_tree_comes_back_as_it_went(self):
        tree = self.make_tree()
        out = os.path.join(self.scratch, "out")
        result = self.json("import", tree, "--prefix", "t/")
        self.assertEqual((result["stored"], result["left_out"], result["failed"]), (5, 1, 0))
        self.assertIn(b"same 5", self.done("verify", tree, "-p", "t/", "--gets"))
        self.done("export", out, "--prefix", "t/")
        self.assertEqual(self.contents(out), self.contents(tree))

    def test_verify_finds_what_differs(self):
        tree = self.make_tree()
        self.done("import", tree)
        self.done("del", "a/b")
        self.done("put", "a.d", "more")
        self.done("put", "a.c", "beside b")
        run = self.run_kvcli("verify", tree, "--json")
        self.assertEqual(run.returncode, 1)
        result = json.loads(run.stdout)
        self.assertEqual((result["same"], result["different"], result["missing"], result["extra"]),
                         (3, 1, 1, 1))
        for part in (b"a/b: the file is not stored", b"a.d: ", b"a.c: "):
            self.assertIn(part, run.stderr)

    def test_an_import_can_be_repeated(self):
        tree = self.make_tree()
        self.done("import", tree)
        again = self.json("import", tree, "--if-absent")
        self.assertEqual((again["stored"], again["existing"]), (0, 5))
        self.write("tree/a/b", b"longer than before")
        self.write("tree/new", b"new")
        again = self.json("import", tree, "--skip-existing")
        self.assertEqual((again["stored"], again["existing"]), (2, 4))
        self.done("verify", tree)

    def test_values_longer_than_a_frame_go_in_and_out_in_pieces(self):
        tree = self.make_tree()
        huge = os.urandom(1 << 20) * 30
        with open(os.path.join(tree, "b-huge"), "wb") as file:
            file.write(huge)
        self.done("import", tree)
        self.assertEqual(self.done("get", "b-huge"), huge)
        self.assertIn(b"6 were there", self.done("import", tree, "--skip-existing"))
        self.assertIn(b"same 6 (", self.done("verify", tree, "--gets"))
        out = os.path.join(self.scratch, "out")
        self.done("export", out)
        self.assertEqual(self.contents(out), self.contents(tree))
        with open(os.path.join(tree, "b-huge"), "r+b") as file:
            file.seek(29 << 20)
            file.write(b"other")
        self.refused(1, "verify", tree)
        self.done("put", "b-huge", "--file", os.path.join(tree, "b-huge"))
        self.done("verify", tree)

    def test_values_too_long_for_a_line_are_named_and_left_out(self):
        self.done("put", "huge", "-", given=b"v" * (30 << 20))
        for name in ("a", "z"):
            self.done("put", name, "small")
        path = os.path.join(self.scratch, "all.tsv")
        for words in (("scan",), ("export", "-", "--format", "tsv")):
            run = self.run_kvcli(*words)
            self.assertEqual(run.returncode, 4)
            self.assertEqual(run.stdout, b"a\tsmall\nz\tsmall\n")
            self.assertIn(b"huge: the value of 31457280 bytes is too long", run.stderr)
        self.refused(4, "export", path)
        self.assertEqual(self.done("scan", "--keys"), b"a\nhuge\nz\n")

    def test_export_stays_inside_its_directory(self):
        for key in ("../out", "/etc/x", "a/../../x", "ok/file"):
            self.done("put", key, "v")
        out = os.path.join(self.scratch, "inner", "out")
        os.makedirs(out)
        os.symlink(self.scratch, os.path.join(out, "ok"))
        run = self.run_kvcli("export", out)
        self.assertEqual(run.returncode, 4)
        self.assertEqual(run.stderr.count(b"\n"), 4)
        self.assertEqual(self.contents(os.path.join(self.scratch, "inner")), {})
        self.assertEqual(self.contents(self.scratch), {})

    def test_lines_come_back_as_they_went(self):
        self.done("put", "-e", r"\xff\x00", "-", given=EVERY_BYTE)
        self.done("put", "text", "gr\u00fc\u00df \"q\"\ttab", "--flags", "9", "--ttl", "1h")
        for ending in ("tsv", "jsonl"):
            path = os.path.join(self.scratch, "all." + ending)
            self.done("export", path)
            before = self.done("scan")
            self.done("import", path, "-p", "copy/")
            self.assertEqual(self.done("export", "-", "--format", ending, "-p", "copy/"),
                             self.read(path))
            self.done("del", "copy/text")
            self.done("del", "-e", r"copy/\xff\x00")
            self.assertEqual(self.done("scan"), before)

    def test_bad_lines_are_named_and_the_others_stored(self):
        run = self.run_kvcli("import", "-", "--format", "tsv", given=b"a\t1\nbad\nb\t2\n")
        self.assertEqual(run.returncode, 4)
        self.assertIn(b"line 2: no tab", run.stderr)
        self.assertEqual(self.done("scan"), b"a\t1\nb\t2\n")
        self.refused(2, "import", "-")
        self.refused(4, "import", os.path.join(self.scratch, "absent.tsv"))

    # --- the server

    def test_ping_and_stats_answer(self):
        self.assertRegex(self.done("ping"), rb"\Aanswered in [0-9.]+ ms\n\Z")
        self.assertGreaterEqual(self.json("ping")["ms"], 0)
        self.assertIn(b"\t", self.done("stats"))
        self.assertGreater(len(self.json("stats")), 5)
        self.assertIn("no section", self.refused(1, "stats", "no-such-section"))

    def test_every_address_of_the_server_answers(self):
        for address in self.server.addresses:
            self.done("--server", address, "ping")

    def test_without_a_server_the_exit_code_is_3(self):
        absent = "unix:" + os.path.join(self.scratch, "absent")
        for words in (("ping",), ("get", "a"), ("import", self.scratch), ("bench",)):
            self.refused(3, *words, server=absent)
        self.assertIn("--server", self.refused(3, "ping", server=absent))
        self.assertIn("HOST:PORT", self.refused(2, "ping", server="nonsense"))

    def test_a_silent_server_times_out_with_3(self):
        with socket.socket(socket.AF_UNIX) as silent:
            path = os.path.join(self.scratch, "silent")
            silent.bind(path)
            silent.listen()
            start = time.monotonic()
            self.refused(3, "--timeout", "200", "ping", server="unix:" + path)
            self.assertLess(time.monotonic() - start, 10)

    def test_a_put_whose_answer_is_lost_says_that_the_outcome_is_unknown(self):
        env = dict(os.environ, KVD_SERVER=self.server.address)
        client = subprocess.Popen([KVCLI, "--timeout", "1000", "put", "key", "-"], env=env,
                                  stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        while len(self.lines("clients")) < 2:  # it has said HELLO and waits for the value
            self.assertIsNone(client.poll())
        self.server.process.send_signal(signal.SIGSTOP)
        try:
            _, error = client.communicate(b"value", timeout=60)
        finally:
            self.server.process.send_signal(signal.SIGCONT)
        self.assertEqual(client.returncode, 4)
        self.assertRegex(error.decode(), r"\Akvcli: key: [^\n]*may or may not[^\n]*\n\Z")

    def test_progress_is_shown_on_a_terminal_only(self):
        tree = self.make_tree()
        outer, inner = open_terminal(self)
        env = dict(os.environ, KVD_SERVER=self.server.address)
        for words in (("import", tree), ("verify", tree), ("export", tree)):
            run = subprocess.run([KVCLI, *words], stdout=subprocess.PIPE, stderr=inner, env=env)
            self.assertEqual(run.returncode, 0)
            self.assertRegex(read_terminal(outer), rb"keys/s.*\r\x1b\[K\Z")
            self.assertEqual(self.run_kvcli(*words).stderr, b"")
        os.close(inner)
        os.close(outer)

    def test_wrong_usage_exits_with_2(self):
        for words in ((), ("frob",), ("get",), ("get", "a", "b"), ("get", "a", "--frob"),
                      ("get", ""), ("put", "a"), ("put", "a", "b", "--file", "c"),
                      ("put", "a", "b", "--if-absent", "--if-present"),
                      ("put", "a", "b", "--ttl", "0"), ("help", "frob"),
                      ("bench", "--pipeline", "0"), ("bench", "--protocol", "frob")):
            self.refused(2, *words)

    def test_help_names_every_command(self):
        text = self.done("help").decode()
        for command in ("get put del exists meta mget scan count batch import export verify stats "
                        "ping bench help").split():
            self.assertIn("\n  " + command + " ", text)
            self.assertIn("usage: kvcli " + command, self.done("help", command).decode())
        self.assertRegex(self.done("--version"), rb"\Akvcli \d+\.\d+\.\d+\n\Z")

    def test_a_full_output_is_a_failure(self):
        self.done("put", "key", "v")
        with open("/dev/full", "wb") as full:
            env = dict(os.environ, KVD_SERVER=self.server.address)
            run = subprocess.run([KVCLI, "get", "key"], stdout=full, stderr=subprocess.PIPE,
                                 env=env)
        self.assertEqual(run.returncode, 4)
        self.assertIn(b"No space left", run.stderr)

    # --- the benchmark

    def test_bench_counts_what_it_did(self):
        result = self.json("bench", "-c", "4", "--threads", "2", "-P", "8", "--keys", "1000",
                           "-v", "64", "-N", "20001", "-r", "80", "--preload", "-d", "memory",
                           "--distribution", "zipfian", "--server-pid",
                           str(self.server.process.pid))
        self.assertEqual(result["load"]["puts"], 1000)
        run = result["run"]
        self.assertEqual(run["gets"] + run["puts"], 20001)
        self.assertEqual((run["misses"], run["failures"]), (0, 0))
        self.assertAlmostEqual(run["gets"] / 20001, 0.8, delta=0.05)
        self.assertGreater(run["get_us"]["p99"], 0)
        self.assertGreaterEqual(run["get_us"]["max"], run["get_us"]["p50"])
        self.assertIn("server_cpu_us_per_op", run)
        self.assertEqual(self.done("count"), b"1000\n")
        self.assertEqual(len(self.done("get", "k000000000000999")), 64)

    def test_bench_tells_misses_from_hits(self):
        run = self.json("bench", "-c", "2", "--keys", "10", "-N", "100")["run"]
        self.assertEqual((run["gets"], run["misses"]), (100, 100))

    def test_bench_keeps_the_rate_asked_for(self):
        for _ in range(5):
            run = self.json("bench", "-c", "5", "-S", "1s", "--rate", "500", "-r", "0", "-d",
                            "memory")["run"]
            self.assertLess(run["puts"], 550)
            if run["puts"] > 450:  # unless the machine is busy with other things
                break
        self.assertGreater(run["puts"], 450)

    def test_bench_says_when_requests_fail(self):
        run = self.run_kvcli("bench", "-c", "1", "-N", "1", "-r", "0", "-v", "64MiB")
        self.assertEqual(run.returncode, 4)

    def test_bench_loads_an_echo(self):
        with EchoServer(os.path.join(self.scratch, "echo")) as echo:
            run = self.run_kvcli("--json", "bench", "--protocol", "echo", "-c", "3", "-P", "4",
                                 "-N", "1000", "-r", "50", server=echo.address)
        self.assertEqual((run.returncode, run.stderr), (0, b""))
        run = json.loads(run.stdout)["run"]
        self.assertEqual((run["requests"], run["failures"]), (1000, 0))


class EchoServer:
    """Sends back what it receives, until it is left."""

    def __init__(self, path):
        self.address = "unix:" + path
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self.echo, args=(connection,), daemon=True).start()

    def echo(self, connection):
        with connection, contextlib.suppress(OSError):
            while True:
                received = connection.recv(65536)
                if not received:
                    return
                connection.sendall(received)

    def __exit__(self, *_):
        self.listener.close()


def read_terminal(outer):
    """All that was written; the kernel may hand it over in pieces, and a little later."""
    seen = b""
    while select.select([outer], [], [], 0.3)[0]:
        seen += os.read(outer, 4096)
    return seen


def open_terminal(test):
    """A pseudo-terminal, where the machine has them (a bare chroot may not)."""
    try:
        return pty.openpty()
    except OSError as error:
        test.skipTest("no pseudo-terminal: %s" % error)


class CrashTest(unittest.TestCase):
    """An import goes on through a server that is killed and started again."""

    FILES = 20000  # enough that the first kills come in the middle

    @classmethod
    def setUpClass(cls):
        cls.tree = tempfile.mkdtemp(prefix="kvcli-tree-")
        cls.addClassCleanup(shutil.rmtree, cls.tree)
        for number in range(cls.FILES):
            folder = os.path.join(cls.tree, "%02d" % (number % 50))
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, "%05d" % number), "wb") as file:
                file.write(b"%d," % number * (number % 700))

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="kvcli-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.server = Server(self.folder)
        self.server.start()
        self.addCleanup(self.server.stop)

    def import_words(self, *more):
        return [KVCLI, "--json", "-s", self.server.address, "import", self.tree, *more]

    def verify(self):
        return subprocess.call([KVCLI, "-s", self.server.address, "verify", self.tree,
                                "--gets"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def await_count(self, least):
        """Waits until so many keys are stored, so that the kill comes in the middle."""
        deadline = time.monotonic() + START_SECONDS
        words = [KVCLI, "-s", self.server.address, "count"]
        while int(subprocess.run(words, stdout=subprocess.PIPE).stdout or 0) < least:
            self.assertLess(time.monotonic(), deadline)

    def test_an_import_outlives_a_killed_server(self):
        client = subprocess.Popen(self.import_words("--retry", "60s"), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        for share in (0.01, 0.1, 0.2, 0.4):
            self.await_count(int(share * self.FILES))
            self.server.kill()
            self.server.start()
        output, error = client.communicate(timeout=120)
        self.assertEqual((client.returncode, error), (0, b""))
        result = json.loads(output)
        self.assertEqual(result["failed"], 0)
        self.assertGreater(result["resumed"], 0)
        self.assertEqual(self.verify(), 0)

    def test_an_interrupted_import_is_run_again(self):
        client = subprocess.Popen(self.import_words(), stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE)
        self.await_count(100)
        self.server.kill()
        _, error = client.communicate(timeout=120)
        self.assertIn(client.returncode, (3, 4))
        self.assertRegex(error.decode(), r"\Akvcli: [^\n]+\n\Z")
        self.server.start()
        self.assertEqual(self.verify(), 1)
        again = subprocess.run(self.import_words("--skip-existing"), stdout=subprocess.PIPE)
        self.assertEqual(again.returncode, 0)
        self.assertEqual(self.verify(), 0)


if __name__ == "__main__":
    unittest.main()
