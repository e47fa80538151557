# man_test.py: the manual pages are made, say what the programs say, and are well formed.
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("KVD_BUILD", os.path.join(ROOT, "build")))
PAGES = ("kvd.1", "kvcli.1", "kvd.conf.5", "libkvd.3")


class ManTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="kvd-man-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        subprocess.run([sys.executable, os.path.join(ROOT, "docs/man/pages.py"), BUILD, "1.2.3",
                        cls.folder], check=True, timeout=60)

    def path(self, name):
        return os.path.join(self.folder, name)

    def text(self, name):
        """The page's words, without fonts and escapes."""
        with open(self.path(name), encoding="ascii") as file:
            page = file.read()
        return re.sub(r"\\f[BIR]|\\&", "", page).replace("\\-", "-").replace("\\e", "\\")

    def test_there_is_a_page_for_each_thing(self):
        self.assertEqual(sorted(os.listdir(self.folder)), sorted(PAGES))
        for name in PAGES:
            self.assertIn('"kvd 1.2.3"', self.text(name))

    def test_every_command_with_every_option_is_in_the_page_of_kvcli(self):
        page = self.text("kvcli.1")
        lines = subprocess.check_output([os.path.join(BUILD, "kvcli"), "--json", "help"])
        for line in lines.splitlines():
            command = json.loads(line)
            part = re.search(r"^\.SS %s\b.*?(?=^\.S[SH] )" % command["command"], page, re.M | re.S)
            self.assertTrue(part, command["command"])
            for option in command["options"]:
                self.assertIn(option["name"], page if option["every_command"] else part[0])

    def test_every_option_of_kvd_and_every_key_is_explained(self):
        page = self.text("kvd.1")
        usage = subprocess.check_output([os.path.join(BUILD, "kvd"), "--help"]).decode()
        for option in re.findall(r"^  (--[a-z-]+)", usage, re.M):
            self.assertTrue(re.search(r"(?m)^%s\b" % option, page), option)
        page = self.text("kvd.conf.5")
        with open(os.path.join(ROOT, "config.example.toml"), encoding="utf-8") as file:
            keys = re.findall(r"^(\w+) = ", file.read(), re.M)
        self.assertGreater(len(keys), 10)
        for key in keys:
            self.assertTrue(re.search(r"(?m)^\.S[SH] (\w+\.)?%s$" % key, page), key)

    def test_every_call_of_the_library_is_in_its_page(self):
        page = self.text("libkvd.3")
        calls = []
        folder = os.path.join(ROOT, "client/include/kvd")
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                calls += re.findall(r"^KVD_API [^;(]*?(kvd_\w+)\(", file.read(), re.M)
        self.assertGreater(len(calls), 50)
        for call in calls:
            self.assertTrue(re.search(r"(?m)^\.SS %s$" % call, page), call)

    @unittest.skipUnless(shutil.which("mandoc"), "there is no mandoc")
    def test_mandoc_finds_no_fault(self):
        for name in PAGES:
            run = subprocess.run(["mandoc", "-Tlint", "-Wwarning", self.path(name)],
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual((run.returncode, run.stdout), (0, b""), name)

    @unittest.skipUnless(shutil.which("man") and shutil.which("groff"), "there is no groff")
    def test_groff_has_nothing_to_warn_of(self):
        for name in PAGES:
            run = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-Tutf8", "-l",
                                  self.path(name)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env=dict(os.environ, MANWIDTH="100", LC_ALL="C.UTF-8"))
            self.assertEqual((run.returncode, run.stderr), (0, b""), name)
            self.assertGreater(len(run.stdout), 1000)


if __name__ == "__main__":
    unittest.main()
