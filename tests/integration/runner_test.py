# runner_test.py: the runner of the tests counts what happened, and takes silence for a failure.
import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

RUN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "run")


def load_runner():
    loader = importlib.machinery.SourceFileLoader("run", RUN)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("run", loader))
    loader.exec_module(module)
    return module


class RunnerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.runner = load_runner()

    def setUp(self):
        """A tree of its own: a copy of the runner, sources that are only names, scripts as programs."""
        self.root = tempfile.mkdtemp(prefix="kvd-runner-")
        self.addCleanup(shutil.rmtree, self.root)
        for folder in ("tests/unit", "tests/integration", "build/tests/unit"):
            os.makedirs(os.path.join(self.root, folder))
        shutil.copy(RUN, os.path.join(self.root, "tests/run"))

    def program(self, name, script):
        self.write("tests/unit/%s.c" % name, "")
        if script is not None:
            self.write("build/tests/unit/" + name, "#!/bin/sh\n" + script)
            os.chmod(os.path.join(self.root, "build/tests/unit", name), 0o755)

    def write(self, path, text):
        with open(os.path.join(self.root, path), "w", encoding="utf-8") as file:
            file.write(text)

    def outcome(self, what="all"):
        """(last line, exit code, whole output) of the runner in that tree."""
        done = subprocess.run([sys.executable, os.path.join(self.root, "tests/run"), "--build",
                               os.path.join(self.root, "build"), what], stdout=subprocess.PIPE, text=True)
        return done.stdout.rstrip("\n").split("\n")[-1], done.returncode, done.stdout

    def test_counts_are_added_up(self):
        self.program("a_test", "echo '100%: Checks: 3, Failures: 0, Errors: 0'\n")
        self.program("b_test", "echo '100%: Checks: 4, Failures: 0, Errors: 0'\n")
        self.write("tests/integration/c_test.py",
                   "import unittest\nclass C(unittest.TestCase):\n    def test_x(self): pass\n")
        self.assertEqual(self.outcome()[:2], ("8 passed, 0 failed", 0))

    def test_failures_and_errors_are_counted_and_shown(self):
        self.program("a_test", "echo why it failed\n"
                               "echo '50%: Checks: 4, Failures: 1, Errors: 1'\nexit 1\n")
        last, code, output = self.outcome()
        self.assertEqual((last, code), ("2 passed, 2 failed", 1))
        self.assertIn("why it failed", output)

    def test_program_that_crashes_is_a_failure(self):
        self.program("a_test", "kill -SEGV $$\n")
        last, code, output = self.outcome()
        self.assertEqual((last, code), ("0 passed, 1 failed", 1))
        self.assertIn("signal 11", output)

    def test_program_that_crashes_after_its_tests_is_a_failure(self):
        self.program("a_test", "echo '100%: Checks: 3, Failures: 0, Errors: 0'\nexit 1\n")
        self.assertEqual(self.outcome()[:2], ("3 passed, 1 failed", 1))

    def test_program_without_tests_is_a_failure(self):
        self.program("a_test", "echo '100%: Checks: 0, Failures: 0, Errors: 0'\n")
        self.assertEqual(self.outcome()[:2], ("0 passed, 1 failed", 1))

    def test_program_that_says_nothing_is_a_failure(self):
        self.program("a_test", "true\n")
        self.assertEqual(self.outcome()[:2], ("0 passed, 1 failed", 1))

    def test_program_that_was_not_built_is_a_failure(self):
        self.program("a_test", None)
        self.assertEqual(self.outcome()[:2], ("0 passed, 1 failed", 1))

    def test_no_tests_at_all_is_a_failure(self):
        self.assertEqual(self.outcome()[:2], ("0 passed, 1 failed", 1))

    def test_integration_failures_are_counted(self):
        self.write("tests/integration/c_test.py",
                   "import unittest\nclass C(unittest.TestCase):\n    def test_x(self): pass\n"
                   "    def test_y(self): self.fail('so')\n    def test_z(self): raise ValueError\n"
                   "    def test_w(self): self.skipTest('no disk')\n")
        last, code, output = self.outcome("integration")
        self.assertEqual((last, code), ("1 passed, 2 failed", 1))
        self.assertIn("so", output)

    def test_integration_file_that_cannot_be_loaded_is_a_failure(self):
        self.write("tests/integration/c_test.py", "import nothing_of_that_name\n")
        self.assertEqual(self.outcome("integration")[:2], ("0 passed, 1 failed", 1))

    def test_program_that_does_not_end_is_stopped(self):
        code, output, _ = self.runner.execute(["sleep", "60"], dict(os.environ), 1)
        self.assertNotEqual(code, 0)
        self.assertIn("still running after 1 s", output)


if __name__ == "__main__":
    unittest.main()
