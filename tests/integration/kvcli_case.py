# kvcli_case.py: a kvd of its own, and kvcli run against it as people and scripts do: the verbs that
# the tests of kvcli are written in.
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("KVD_BUILD", os.path.join(ROOT, "build")))
KVD = os.path.join(BUILD, "kvd")
KVCLI = os.path.join(BUILD, "kvcli")
START_SECONDS = 30
EVERY_BYTE = bytes(range(256))


class Server:
    """A kvd on a socket in a directory of its own; it can be killed and started again."""

    def __init__(self, folder):
        self.folder = folder
        self.address = "unix:" + os.path.join(folder, "socket")
        self.process = None

    def start(self):
        ready = os.path.join(self.folder, "ready")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(ready)
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [KVD, "--dir", os.path.join(self.folder, "data"), "--listen", self.address,
                 "--listen", "127.0.0.1:0", "--ready-file", ready,
                 "--set", "slow_log.threshold=1ms"], stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not os.path.exists(ready) or os.path.getsize(ready) == 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("kvd did not start: " + self.log())
            time.sleep(0.01)
        with open(ready) as lines:
            self.addresses = lines.read().split()

    def log(self):
        with open(os.path.join(self.folder, "log")) as log:
            return log.read()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=60)


class KvcliCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="kvcli-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.server = Server(cls.folder)
        cls.server.start()
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        self.scratch = tempfile.mkdtemp(prefix="kvcli-", dir=self.folder)
        self.clear()

    def clear(self):
        keys = self.done("scan", "--keys").decode().splitlines()
        for at in range(0, len(keys), 500):
            self.done("del", "--escape", "--", *keys[at:at + 500])

    # --- verbs

    def run_kvcli(self, *words, given=b"", server=None):
        env = dict(os.environ, KVD_SERVER=server or self.server.address)
        return subprocess.run([KVCLI, *words], input=given, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=env, timeout=120)

    def done(self, *words, given=b""):
        """Runs it, which must succeed and complain about nothing; its output."""
        run = self.run_kvcli(*words, given=given)
        self.assertEqual((run.returncode, run.stderr), (0, b""), words)
        return run.stdout

    def refused(self, code, *words, given=b"", server=None):
        """Runs it, which must fail with the code and one line on standard error; that line."""
        run = self.run_kvcli(*words, given=given, server=server)
        self.assertEqual(run.returncode, code, (words, run.stderr))
        error = run.stderr.decode()
        self.assertRegex(error, r"\Akvcli: [^\n]+\n\Z")
        return error

    def json(self, *words, given=b""):
        return json.loads(self.done("--json", *words, given=given))

    def lines(self, *words):
        return [json.loads(line) for line in self.done("--json", *words).splitlines()]

    def write(self, path, content):
        path = os.path.join(self.scratch, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def read(self, path):
        with open(path, "rb") as file:
            return file.read()

    def make_tree(self, name="tree"):
        self.write(name + "/a/b", b"in a")
        self.write(name + "/a.c", b"beside a")
        self.write(name + "/empty", b"")
        self.write(name + "/bytes", EVERY_BYTE * 1000)
        self.write(name + "/deep/er/and/deeper", b"x")
        os.symlink("/etc/passwd", os.path.join(self.scratch, name, "link"))
        return os.path.join(self.scratch, name)

    def contents(self, root):
        found = {}
        for folder, _, names in os.walk(root):
            for name in names:
                path = os.path.join(folder, name)
                if not os.path.islink(path):
                    found[os.path.relpath(path, root)] = self.read(path)
        return found
