# crash_import_test.py: real files survive an import during which the server is killed; what large
# values cost on the disk.
import os
import random
import shutil
import tempfile
import unittest

import crash_import

BUILD = os.environ.get("KVD_BUILD", "build")
TREE = "/usr/include"
KILLS = int(os.environ.get("KVD_TEST_KILLS", "25"))
OPEN_SECONDS_MAX = 2.0
WRITE_AMPLIFICATION_MAX = 1.15
LARGE_FILES = 96
LARGE_BYTES = 1 << 20


class CrashImportTest(unittest.TestCase):
    def setUp(self):
        self.work = tempfile.mkdtemp(prefix="kvd-test-")
        self.addCleanup(shutil.rmtree, self.work, ignore_errors=True)

    def test_an_import_that_is_killed_again_and_again_ends_identical(self):
        seed = int(os.environ.get("KVD_TEST_SEED", "1"))
        result = crash_import.run(os.path.abspath(BUILD), TREE, self.work, KILLS, seed)
        print(result)
        self.assertGreater(result["kills"], 0)
        self.assertLessEqual(result["slowest_open_seconds"], OPEN_SECONDS_MAX)

    def test_large_values_are_written_once(self):
        tree = os.path.join(self.work, "tree")
        os.mkdir(tree)
        rng = random.Random(1)
        for i in range(LARGE_FILES):
            with open(os.path.join(tree, "file%03d" % i), "wb") as file:
                file.write(rng.randbytes(LARGE_BYTES))
        server = crash_import.Server(os.path.abspath(BUILD), self.work,
                                     ["storage.compression=none"])
        server.start()
        server.cli("import", tree)
        server.stop()
        user_bytes = LARGE_FILES * LARGE_BYTES
        print("written per byte of user data: %.3f" % (server.written_bytes / user_bytes))
        self.assertLessEqual(server.written_bytes, WRITE_AMPLIFICATION_MAX * user_bytes)
        self.assertGreaterEqual(server.written_bytes, user_bytes)


if __name__ == "__main__":
    unittest.main()
