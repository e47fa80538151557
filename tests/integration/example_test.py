# example_test.py: the examples of docs/ run against a real kvd and say what their text says.
import glob
import os
import shutil
import subprocess
import tempfile
import unittest

import crash_import

BUILD = os.path.abspath(os.environ.get("KVD_BUILD", "build"))


SAID = {
    "example": ("name = Ada", "second put refused"),
    "event_loop": ("event/0999 = Ada", "1000 puts done"),
    "transactions": ("30 moved: ok, attempts: 2", "ada 69, alan 30", "Ada has the lock", "item 0 read Ada",
                     "Alan does not have the lock"),
    "threads": ("counted to 800 on",),
    "poll_loop": ("poll/9 = stored", "10 stored, 10 walked in 3 pages"),
}


class ExampleTest(unittest.TestCase):
    def setUp(self):
        self.work = tempfile.mkdtemp(prefix="kvd-test-")
        self.addCleanup(shutil.rmtree, self.work)
        self.server = crash_import.Server(BUILD, self.work)
        self.server.start()
        self.addCleanup(self.server.stop)

    def test_every_example_runs_to_its_end(self):
        examples = [path for path in glob.glob(os.path.join(BUILD, "examples", "**"), recursive=True)
                    if os.path.isfile(path) and os.access(path, os.X_OK)]
        self.assertEqual({os.path.basename(path) for path in examples}, set(SAID))
        for path in examples:
            done = subprocess.run([path, "unix:" + self.server.socket], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stdout)
            for text in SAID[os.path.basename(path)]:
                self.assertIn(text, done.stdout)


if __name__ == "__main__":
    unittest.main()
