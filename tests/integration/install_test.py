# install_test.py: what `make install` copies is enough to build, link and run every example with both
# libraries, and `make uninstall` takes all of it away.
import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import crash_import

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


# What the pieces of docs/libkvd.md take for granted.
GUIDE = """#include <kvd/kvd.h>
#include <stdio.h>
#include <stdlib.h>

%s

int main(int argc, char **argv) {
    struct kvd_bytes keys[2] = {kvd_text("guide/1"), kvd_text("guide/2")};
    struct kvd_bytes values[2] = {kvd_text("a"), kvd_text("b")};
    struct kvd_meta meta;
    size_t count = 2, length;
    uint64_t version, found, loaded;
    char piece[4096];
    FILE *file = fopen(argv[argc - 1], "rb");
    struct kvd *db;

    if (!file || kvd_connect(argv[1], NULL, &db) != KVD_OK) return 1;
    kvd_delete_range(db, kvd_text("a"), kvd_text("z"), NULL, NULL);
%s
    if (kvd_meta(db, kvd_text("film"), NULL, &meta) != KVD_OK || meta.version != version) return 1;
    if (kvd_count(db, NULL, &found) != KVD_OK) return 1;
    printf("%%llu bytes, %%llu keys\\n", (unsigned long long)meta.value_len, (unsigned long long)found);
    fclose(file);
    kvd_close(db);
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
                     "share/doc/kvd/LICENSE", "share/doc/kvd/config.example.toml",
                     "share/bash-completion/completions/kvcli", "share/man/man1/kvd.1",
                     "share/man/man1/kvcli.1", "share/man/man3/libkvd.3",
                     "share/man/man5/kvd.conf.5",
                     "share/zsh/site-functions/_kvcli"):
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


@unittest.skipUnless(os.path.exists(BUILD + "/kvd"), "there is no server yet")
@unittest.skipUnless(os.path.basename(BUILD) == "build", "the libraries of users have no sanitizer")
class PackageTest(unittest.TestCase):
    """Installed below DESTDIR, as for a package, and used from there as on another machine."""

    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.mkdtemp(prefix="kvd-package-")
        cls.addClassCleanup(shutil.rmtree, cls.place)
        cls.environment = {name: value for name, value in os.environ.items()
                           if not name.startswith("MAKE") and name != "MFLAGS"}
        cls.prefix = cls.place + "/opt/kvd"
        cls.environment["PKG_CONFIG_SYSROOT_DIR"] = cls.place
        cls.environment["PKG_CONFIG_PATH"] = cls.prefix + "/lib/pkgconfig"
        cls.run_words("make", "-s", "-C", ROOT, "install", "DESTDIR=" + cls.place, "PREFIX=/opt/kvd")
        cls.server = crash_import.Server(cls.prefix + "/bin", cls.place)
        cls.server.start()
        cls.addClassCleanup(cls.server.stop)

    @classmethod
    def run_words(cls, *words, **more):
        done = subprocess.run(words, env=dict(cls.environment, **more), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=120)
        assert done.returncode == 0, "%s: %s" % (" ".join(words), done.stdout)
        return done.stdout

    def build(self, source, *options):
        """Compiles as the comment at the top of an example says. The path of the program."""
        with open(source, encoding="utf-8") as file:
            packages = ["kvd", "libuv"] if "kvd_uv.h" in file.read() else ["kvd"]
        flags = self.run_words("pkg-config", "--cflags", "--libs", *options, *packages).split()
        if options:
            flags = ["-l:libkvd.a" if flag == "-lkvd" else flag for flag in flags]
        program = os.path.join(self.place, os.path.basename(source)[:-2] + "-".join(options))
        self.run_words("gcc", "-Wall", "-Werror", source, *flags, "-pthread", "-o", program)
        return program

    def sources(self):
        found = sorted(glob.glob(ROOT + "/docs/examples/*.c"))
        self.assertGreater(len(found), 0)
        return found

    def test_examples_run_with_the_shared_library(self):
        for source in self.sources():
            with self.subTest(source):
                program = self.build(source)
                self.assertIn("libkvd.so.0", self.run_words("objdump", "-p", program))
                self.run_words(program, "unix:" + self.server.socket,
                               LD_LIBRARY_PATH=self.prefix + "/lib")

    def test_examples_run_with_the_archive(self):
        for source in self.sources():
            with self.subTest(source):
                program = self.build(source, "--static")
                self.assertNotIn("libkvd.so", self.run_words("objdump", "-p", program))
                self.run_words(program, "unix:" + self.server.socket)

    def test_code_of_the_guide_runs(self):
        with open(ROOT + "/docs/libkvd.md", encoding="utf-8") as file:
            pieces = re.findall(r"^```c\n(.*?)^```", file.read(), re.M | re.S)
        self.assertGreater(len(pieces), 1)
        functions = [piece for piece in pieces if piece.startswith("static ")]
        blocks = ["{\n%s\nif (status != KVD_OK) return 1;\n}" % piece for piece in pieces if piece not in functions]
        with open(self.place + "/guide.c", "w", encoding="utf-8") as file:
            file.write(GUIDE % ("\n".join(functions), "\n".join(blocks)))
        program = self.build(self.place + "/guide.c")
        said = self.run_words(program, "unix:" + self.server.socket, program, LD_LIBRARY_PATH=self.prefix + "/lib")
        self.assertEqual(said, "%d bytes, %d keys\n" % (os.path.getsize(program), 1005))

    def test_programs_name_the_version_of_the_calls_that_they_need(self):
        program = self.build(self.sources()[0])
        needed = self.run_words("objdump", "-p", program).split("Version References:")[1]
        self.assertRegex(needed, r"required from libkvd\.so\.0:\s+0x\w+ 0x00 \d+ KVD_0\.1\b")
        exported = self.run_words("objdump", "-T", self.prefix + "/lib/libkvd.so.0")
        self.assertRegex(exported, r"KVD_0\.1 +kvd_connect\n")

    @unittest.skipUnless(shutil.which("g++"), "there is no C++ compiler")
    def test_headers_are_good_for_cpp(self):
        with open(self.place + "/program.cc", "w", encoding="utf-8") as file:
            file.write("#include <kvd/kvd_uv.h>\nint main() { return kvd_outcome(KVD_OK); }\n")
        flags = self.run_words("pkg-config", "--cflags", "--libs", "kvd", "libuv").split()
        program = self.place + "/program"
        self.run_words("g++", "-Wall", "-Wextra", "-Werror", program + ".cc", *flags, "-o", program)
        self.run_words(program, LD_LIBRARY_PATH=self.prefix + "/lib")


if __name__ == "__main__":
    unittest.main()
