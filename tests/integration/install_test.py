# install_test.py: what `make install` copies is enough to build and link a program with both
# libraries, and `make uninstall` takes all of it away.
import os
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("KVD_BUILD", os.path.join(ROOT, "build"))

# It links only if the header declares the function and the library has it.
PROGRAM = """#include <kvd/kvd.h>
#include <stdio.h>

int main(void) {
    void *volatile function = (void *)&%s;
    printf("%%d\\n", function != 0);
    return 0;
}
"""


@unittest.skipUnless(os.path.exists(BUILD + "/kvd"), "there is no server yet")
@unittest.skipUnless(os.path.basename(BUILD) == "build", "the libraries of users have no sanitizer")
class InstallTest(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.mkdtemp(prefix="kvd-install-")
        self.addCleanup(shutil.rmtree, self.place)
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith("MAKE") and name != "MFLAGS"}
        self.environment["PKG_CONFIG_PATH"] = self.place + "/lib/pkgconfig"

    def run_words(self, *words, **options):
        done = subprocess.run(words, env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, **options)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def make(self, target):
        self.run_words("make", "-s", "-C", ROOT, target, "PREFIX=" + self.place)

    def files(self):
        return {os.path.relpath(os.path.join(place, name), self.place)
                for place, _, names in os.walk(self.place) for name in names}

    def write_program(self):
        with open(self.place + "/include/kvd/kvd.h", encoding="utf-8") as file:
            name = re.search(r"^\w[^;{}#=]*?\b(kvd_\w+)\(", file.read(), re.M)[1]
        with open(self.place + "/program.c", "w", encoding="utf-8") as file:
            file.write(PROGRAM % name)

    def flags(self, *options):
        return self.run_words("pkg-config", "--cflags", "--libs", *options, "kvd").split()

    def test_installed_files_are_the_promised_ones(self):
        self.make("install")
        for name in ("bin/kvd", "bin/kvcli", "include/kvd/kvd.h", "lib/libkvd.a", "lib/libkvd.so",
                     "lib/libkvd.so.0", "lib/pkgconfig/kvd.pc", "share/doc/kvd/README.md",
                     "share/doc/kvd/LICENSE", "share/doc/kvd/config.example.toml"):
            self.assertIn(name, self.files())

    def test_program_links_with_the_shared_library(self):
        self.make("install")
        self.write_program()
        program = self.place + "/program"
        self.run_words("gcc", program + ".c", *self.flags(), "-o", program)
        self.environment["LD_LIBRARY_PATH"] = self.place + "/lib"
        self.assertEqual(self.run_words(program), "1\n")
        self.assertIn("libkvd.so.0", self.run_words("objdump", "-p", program))

    def test_program_links_with_the_archive(self):
        self.make("install")
        self.write_program()
        program = self.place + "/program"
        flags = ["-l:libkvd.a" if flag == "-lkvd" else flag for flag in self.flags("--static")]
        self.run_words("gcc", program + ".c", *flags, "-o", program)
        self.assertEqual(self.run_words(program), "1\n")

    def test_uninstall_leaves_nothing(self):
        self.make("install")
        self.make("uninstall")
        self.assertEqual(self.files(), set())


if __name__ == "__main__":
    unittest.main()
