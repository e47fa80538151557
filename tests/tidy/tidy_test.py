# tidy_test.py: each check of tidy.py is shown to fail on a tiny tree that breaks its rule, and to
# be content with the same tree without the fault.
import os
import shutil
import subprocess
import tempfile
import unittest

import tidy
from tree import Tree

CLEAN = {
    "protocol/base/memory.h": "void *memory_alloc(unsigned long bytes);\n",
    "protocol/base/memory.c": '#include "protocol/base/memory.h"\n\n#include <stdlib.h>\n\n'
                              "static int calls;\n\n"
                              "void *memory_alloc(unsigned long bytes) {\n    calls++;\n"
                              "    return malloc(bytes);\n}\n",
    "protocol/wire.h": "int wire_size(int kind);\n",
    "protocol/wire.c": '#include "protocol/wire.h"\n\nint wire_size(int kind) {\n    return kind;\n}\n',
    "storage/format.h": "#define FORMAT_MAGIC 7\n",
    "storage/store.h": "int store_open(int limit);\n",
    "storage/store.c": '#include "storage/store.h"\n\n#include "protocol/base/memory.h"\n'
                       '#include "storage/format.h"\n\n'
                       "int store_open(int limit) {\n"
                       "    return memory_alloc(FORMAT_MAGIC) ? limit : 0;\n}\n",
    "server/main.c": '#include "protocol/wire.h"\n#include "storage/store.h"\n\n'
                     "int main(void) {\n    return store_open(wire_size(1));\n}\n",
    "client/include/kvd/kvd.h": "int kvd_open(void);\n",
    "client/open.c": '#include "kvd/kvd.h"\n#include "protocol/wire.h"\n\n'
                     "int kvd_open(void) {\n    return wire_size(2);\n}\n",
    "tests/unit/wire_test.c": '#include "protocol/wire.h"\n\n#include "tests/unit/unit.h"\n\n'
                              "START_TEST(a_size_is_its_kind) {\n    ck_assert(wire_size(1) == 1);\n}\n"
                              'END_TEST\n\nUNIT_MAIN("wire", a_size_is_its_kind)\n',
    "tests/unit/unit.h": "#define UNIT_MAIN(name, ...)\n",
    "tests/integration/ping_test.py": "# ping_test.py: it answers.\n",
    "tests/tidy/levels.txt": "# levels\nstorage 0: store.h\nstorage 1: format\nstorage 8: store.c\n"
                             "server 1: main\n",
}


def with_header(path, text):
    """The text with the opening that each file must have, guard included."""
    name = os.path.basename(path)
    if not path.endswith((".c", ".h")):
        return text
    opening = "/* %s: part of a test. */\n" % name
    if path.endswith(".h"):
        guard = path.upper().replace("/", "_").replace(".", "_")
        return "%s#ifndef %s\n#define %s\n\n%s\n#endif\n" % (opening, guard, guard, text)
    return opening + text


class TidyTest(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="kvd-tidy-")
        self.addCleanup(shutil.rmtree, self.root)
        for path, text in CLEAN.items():
            self.write(path, with_header(path, text))

    def write(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def add(self, path, text):
        """One more file, well formed but for what the text does."""
        self.write(path, with_header(path, text))

    def append(self, path, text):
        with open(os.path.join(self.root, path), encoding="utf-8") as file:
            self.write(path, file.read() + text)

    def compile(self):
        for source in Tree(self.root, "build").sources:
            if source.path.endswith(".c") and source.folder != "tests":
                target = os.path.join(self.root, "build/obj", source.stem + ".o")
                os.makedirs(os.path.dirname(target), exist_ok=True)
                subprocess.run(["gcc", "-fPIE", "-w", "-I.", "-Iclient/include", "-c", source.path, "-o",
                                target], cwd=self.root, check=True)

    def findings(self, check):
        return tidy.CHECKS[check](Tree(self.root, "build"))

    def assert_found(self, check, path, words):
        found = self.findings(check)
        self.assertTrue(any(path in at and words in text for at, _, text in found),
                        "%s did not report '%s' in %s, but %s" % (check, words, path, found))

    def build_libraries(self, code, archive_keeps="kvd_*", map_keeps="kvd_*"):
        build = os.path.join(self.root, "build")
        os.makedirs(build, exist_ok=True)
        self.write("build/lib.c", code)
        self.write("build/lib.map", "KVD_0 { global: %s; local: *; };\n" % map_keeps)
        for command in (["gcc", "-fPIC", "-c", "lib.c", "-o", "lib.o"],
                        ["gcc", "-shared", "-Wl,--version-script=lib.map", "lib.o", "-o", "libkvd.so"],
                        ["objcopy", "--wildcard", "--keep-global-symbol=" + archive_keeps, "lib.o"],
                        ["ar", "rcs", "libkvd.a", "lib.o"]):
            subprocess.run(command, cwd=build, check=True)

    # ------------------------------------------------------------------------------ the clean tree

    def test_clean_tree_passes_every_check(self):
        self.compile()
        self.build_libraries("int kvd_open(void) { return 0; }\n")
        shutil.copy(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.clang-format"),
                    self.root)
        for check in tidy.CHECKS:
            self.assertEqual(self.findings(check), [], check)

    # ------------------------------------------------------------------------------ doors and arrows

    def test_stranger_at_the_top_level(self):
        self.write("scripts/x", "")
        self.assert_found("top_level", "scripts", "top level")

    def test_server_behind_the_door_of_storage(self):
        self.add("server/peek.c", '#include "storage/format.h"\n')
        self.assert_found("doors", "server/peek.c", "storage/format.h")

    def test_server_behind_the_door_of_protocol(self):
        self.add("protocol/frame.h", "")
        self.add("server/peek.c", '#include "protocol/frame.h"\n')
        self.assert_found("doors", "server/peek.c", "protocol/frame.h")

    def test_storage_knows_the_protocol(self):
        self.add("storage/peek.c", '#include "protocol/wire.h"\n')
        self.assert_found("doors", "storage/peek.c", "protocol/wire.h")

    def test_client_knows_storage(self):
        self.add("client/peek.c", '#include "storage/store.h"\n')
        self.assert_found("doors", "client/peek.c", "storage/store.h")

    def test_tool_knows_the_inside_of_the_library(self):
        self.add("client/inside.h", "")
        self.add("client/kvcli/peek.c", '#include "client/inside.h"\n')
        self.assert_found("doors", "client/kvcli/peek.c", "client/inside.h")

    def test_base_knows_the_protocol(self):
        self.add("protocol/base/peek.c", '#include "protocol/wire.h"\n')
        self.assert_found("doors", "protocol/base/peek.c", "protocol/wire.h")

    def test_product_knows_the_tests(self):
        self.add("server/peek.c", '#include "tests/unit/unit.h"\n')
        self.assert_found("doors", "server/peek.c", "tests/unit/unit.h")

    def test_include_beside_the_file_instead_of_rooted(self):
        self.add("storage/peek.c", '#include "format.h"\n')
        self.assert_found("rooted", "storage/peek.c", "format.h")

    def test_own_header_not_first(self):
        self.add("storage/peek.h", "")
        self.add("storage/peek.c", '#include "storage/format.h"\n#include "storage/peek.h"\n')
        self.assert_found("own_header_first", "storage/peek.c", "own header")

    def test_libuv_outside_the_server(self):
        self.add("storage/peek.c", "#include <uv.h>\n")
        self.assert_found("libraries", "storage/peek.c", "uv.h")

    def test_libuv_in_the_client_but_for_its_adapter(self):
        self.add("client/include/kvd/kvd_uv.h", "#include <uv.h>\n")
        self.add("client/include/kvd/other.h", "#include <uv.h>\n")
        self.add("client/peek.c", "#include <uv.h>\n")
        places = [found[0] for found in tidy.check_libraries(Tree(self.root, "build"))]
        self.assertEqual(sorted(places), ["client/include/kvd/other.h", "client/peek.c"])

    def test_clock_in_the_codec(self):
        self.add("protocol/peek.c", "#include <time.h>\n")
        self.assert_found("libraries", "protocol/peek.c", "time.h")

    # ------------------------------------------------------------------------------ levels and cycles

    def test_file_without_a_level(self):
        self.add("storage/new.c", "")
        self.assert_found("levels_named", "storage/new.c", "no level")

    def test_level_without_a_file(self):
        self.append("tests/tidy/levels.txt", "storage 3: ghost\n")
        self.assert_found("levels_named", "levels.txt", "storage/ghost")

    def test_level_given_twice(self):
        self.append("tests/tidy/levels.txt", "storage 3: format\n")
        self.assert_found("levels_named", "levels.txt", "two levels")

    def test_line_of_levels_that_cannot_be_read(self):
        self.append("tests/tidy/levels.txt", "storage three: format\n")
        self.assert_found("levels_named", "levels.txt", "is not")

    def test_include_of_the_same_level(self):
        self.append("tests/tidy/levels.txt", "storage 2: left right\n")
        self.add("storage/left.h", "")
        self.add("storage/right.c", '#include "storage/left.h"\n')
        self.assert_found("levels", "storage/right.c", "storage/left.h")

    def test_include_of_a_higher_level(self):
        self.append("tests/tidy/levels.txt", "storage 2: low\nstorage 3: high\n")
        self.add("storage/high.h", "")
        self.add("storage/low.c", '#include "storage/high.h"\n')
        self.assert_found("levels", "storage/low.c", "storage/high.h")

    def test_include_of_a_higher_step_of_the_same_level(self):
        self.append("tests/tidy/levels.txt", "storage 2.9: low\nstorage 2.10: high\n")
        self.add("storage/low.h", "")
        self.add("storage/high.h", '#include "storage/low.h"\n')
        self.assertEqual(self.findings("levels"), [])
        self.add("storage/low.h", '#include "storage/high.h"\n')
        self.assert_found("levels", "storage/low.h", "2.9 includes")

    def test_cycle_of_includes(self):
        self.add("storage/one.h", '#include "storage/two.h"\n')
        self.add("storage/two.h", '#include "storage/one.h"\n')
        self.assert_found("include_cycles", "storage/", "storage/one.h -> storage/two.h")

    def test_call_up_the_levels_without_an_include(self):
        self.append("storage/format.h", "")
        self.add("storage/format.c", "int store_open(int);\nint format_peek(void) {\n"
                                     "    return store_open(1);\n}\n")
        self.compile()
        self.assert_found("calls", "storage/format.c", "store_open")

    def test_call_across_folders_without_an_include(self):
        self.add("protocol/peek.c", "int store_open(int);\nint peek(void) {\n    return store_open(1);\n}\n")
        self.compile()
        self.assert_found("calls", "protocol/peek.c", "store_open")

    def test_name_shared_by_client_and_server_is_no_call_between_them(self):
        for folder in ("server", "client"):
            self.add(folder + "/near.c", "int near_size(void) {\n    return 1;\n}\n")
            self.add(folder + "/far.c", "int near_size(void);\nint far_size(void) {\n"
                                        "    return near_size();\n}\n")
        self.compile()
        self.assertEqual(self.findings("calls"), [])

    # ------------------------------------------------------------------------------ sizes

    def test_file_of_701_lines(self):
        self.add("storage/long.c", "int x;\n" * 699)
        self.assertEqual(self.findings("file_sizes"), [])
        self.add("storage/long.c", "int x;\n" * 700)
        self.assert_found("file_sizes", "storage/long.c", "701 lines")

    def test_function_of_71_lines(self):
        self.add("server/long.c", "static int f(int a) {\n" + "    a++;\n" * 68 + "}\n")
        self.assertEqual(self.findings("function_sizes"), [])
        self.add("server/long.c", "static int\nf(int a) {\n" + "    a++;\n" * 68 + "}\n")
        self.assert_found("function_sizes", "server/long.c", "f has 71 lines")

    def test_long_function_after_a_struct_and_a_table(self):
        self.add("server/long.c", "struct pair {\n    int a;\n};\nstatic const int table[] = {\n    1,\n};\n"
                                  "void g(void) {\n" + "    ;\n" * 70 + "}\n")
        self.assert_found("function_sizes", "server/long.c", "g has 72 lines")

    def test_seven_parameters(self):
        self.add("server/wide.c", "int f(int a, int b, int c, int d, int e, int g, ...) {\n}\n")
        self.assertEqual(self.findings("parameters"), [])
        self.add("server/wide.c", "int f(int a, int b, int c, int d, int e, int g, "
                                  "struct error *error) {\n}\n")
        self.assertEqual(self.findings("parameters"), [])
        self.add("server/wide.c", "int f(int a, int b, int c, int d, int e, int g, void (*h)(int)) {\n}\n")
        self.assert_found("parameters", "server/wide.c", "f has 7")

    def test_four_nested_blocks(self):
        three = "void f(int a) {\n if (a) {\n while (a) {\n if (a) {\n %s\n }\n }\n }\n}\n"
        self.add("server/deep.c", three % "g((struct s){a}); int b[] = {1};")
        self.assertEqual(self.findings("nesting"), [])
        self.add("server/deep.c", three % "for (;;) {\n }")
        self.assert_found("nesting", "server/deep.c", "f nests 4")

    def test_base_of_a_thousand_lines(self):
        self.add("protocol/base/big.c", "int x;\n" * 1000)
        self.assert_found("base_size", "protocol/base", "lines of code")

    # ------------------------------------------------------------------------------ calls and state

    def test_malloc_outside_memory(self):
        self.add("server/peek.c", "void f(void) {\n    malloc(1);\n}\n")
        self.assert_found("banned_calls", "server/peek.c", "malloc()")

    def test_strdup_in_a_test(self):
        self.add("tests/unit/peek_test.c", "void f(void) {\n    strdup(x);\n}\n")
        self.assert_found("banned_calls", "tests/unit/peek_test.c", "strdup()")

    def test_pread_outside_env_posix(self):
        self.add("storage/peek.c", "void f(void) {\n    pread(1, b, 2, 3);\n}\n")
        self.assert_found("banned_calls", "storage/peek.c", "pread()")

    def test_call_through_the_env_is_welcome(self):
        self.add("storage/peek.c", "void f(struct env *env) {\n    env->open(env); /* open() */\n"
                                   '    g("open(x)");\n    env_open(1);\n}\n')
        self.assertEqual(self.findings("banned_calls"), [])

    def test_static_function_of_that_name_is_welcome(self):
        self.add("storage/peek.c", "static int write(int a) {\n    return a;\n}\n\n"
                                   "int f(void) {\n    return write(1);\n}\n")
        self.assertEqual(self.findings("banned_calls"), [])

    def test_clock_past_the_env(self):
        self.add("storage/peek.c", "void f(void) {\n    clock_gettime(1, x);\n}\n")
        self.assert_found("banned_calls", "storage/peek.c", "clock_gettime()")

    def test_print_in_the_library(self):
        self.add("client/peek.c", 'void f(void) {\n    printf("x");\n}\n')
        self.assert_found("banned_calls", "client/peek.c", "printf()")

    def test_sprintf_anywhere(self):
        self.add("client/kvcli/peek.c", 'void f(void) {\n    sprintf(b, "x");\n}\n')
        self.assert_found("banned_calls", "client/kvcli/peek.c", "sprintf()")

    def test_mmap_anywhere(self):
        self.add("storage/env_posix.c", "void f(void) {\n    mmap(0, 1, 2, 3, 4, 5);\n}\n")
        self.assert_found("banned_calls", "storage/env_posix.c", "mmap()")

    def test_free_by_address(self):
        self.add("server/peek.c", "#include <stdlib.h>\nvoid (*peek(void))(void *) {\n    return free;\n}\n")
        self.compile()
        self.assert_found("banned_symbols", "server/peek.c", "free")

    def test_global_variable(self):
        self.add("server/state.c", "int count = 3;\n")
        self.compile()
        self.assert_found("mutable_globals", "server/state.c", "count")

    def test_static_inside_a_function(self):
        self.add("server/state.c", "int f(void) {\n    static int calls;\n    return ++calls;\n}\n")
        self.compile()
        self.assert_found("mutable_globals", "server/state.c", "calls")

    def test_thread_local_variable(self):
        self.add("server/state.c", "_Thread_local int mine;\n")
        self.compile()
        self.assert_found("mutable_globals", "server/state.c", "mine")

    def test_constant_tables_are_no_state(self):
        self.add("server/state.c", 'const char *const names[] = {"a", "b"};\n'
                                   "void (*const calls[])(void) = {0};\n")
        self.compile()
        self.assertEqual(self.findings("mutable_globals"), [])

    def test_source_that_was_not_built(self):
        self.compile()
        self.add("server/unbuilt.c", "")
        self.assert_found("mutable_globals", "server/unbuilt.c", "no object")

    # ------------------------------------------------------------------------------ the rest

    def test_macro_that_returns(self):
        self.append("storage/format.h", "#define TRY(x)    \\\n    if (x)    \\\n    return x\n")
        self.assert_found("macros", "storage/format.h", "TRY hides 'return'")

    def test_macro_that_loops(self):
        self.append("storage/format.h", "#define EACH(i) for (int i = 0; i < 9; i++)\n")
        self.assert_found("macros", "storage/format.h", "EACH hides 'for'")

    def test_macro_in_one_statement_is_fine(self):
        self.append("storage/format.h", '#define TWO(x) do { x; x; } while (0)\n#define TEXT "return"\n')
        self.assertEqual(self.findings("macros"), [])

    def test_file_that_does_not_say_what_it_is(self):
        self.write("server/mute.c", "int x;\n")
        self.assert_found("headers_of_files", "server/mute.c", "does not open")

    def test_file_that_names_another(self):
        self.write("server/mute.c", "/* other.c: a copy. */\n")
        self.assert_found("headers_of_files", "server/mute.c", "does not open")

    def test_script_that_does_not_say_what_it_is(self):
        self.write("tests/mute.sh", "#!/bin/sh\necho\n")
        self.assert_found("headers_of_files", "tests/mute.sh", "does not open")

    def test_header_without_a_guard(self):
        self.write("server/bare.h", "/* bare.h: x. */\nint x(void);\n")
        self.assert_found("include_guards", "server/bare.h", "guard")

    def test_test_that_is_never_run(self):
        self.add("tests/unit/lost_test.c", "START_TEST(found) {\n}\nEND_TEST\nSTART_TEST(lost) {\n}\n"
                                           'END_TEST\nUNIT_MAIN("x", found)\n')
        self.assert_found("tests_included", "lost_test.c", "lost is never run")

    def test_test_in_a_file_that_is_not_picked_up(self):
        self.add("tests/unit/lost.c", 'START_TEST(a) {\n}\nEND_TEST\nUNIT_MAIN("x", a)\n')
        self.assert_found("tests_included", "tests/unit/lost.c", "_test.c")

    def test_code_switched_off(self):
        self.add("server/off.c", "#if 0\nint x;\n#endif\n")
        self.assert_found("tests_included", "server/off.c", "#if 0")

    def test_python_test_that_is_skipped(self):
        self.write("tests/integration/skip_test.py", "@unittest.skip('later')\ndef test_x(self): pass\n")
        self.assert_found("tests_included", "skip_test.py", "leaves out")

    def test_python_test_that_is_not_picked_up(self):
        self.write("tests/integration/lost.py", "class A(unittest.TestCase):\n    def test_x(self): pass\n")
        self.assert_found("tests_included", "lost.py", "_test.py")

    def test_archive_that_exports_more(self):
        self.build_libraries("int kvd_open(void) { return 0; }\nint peek(void) { return 0; }\n",
                             archive_keeps="*")
        self.assert_found("exported_symbols", "libkvd.a", "peek")

    def test_shared_library_that_exports_more(self):
        self.build_libraries("int kvd_open(void) { return 0; }\nint peek(void) { return 0; }\n",
                             map_keeps="*")
        self.assert_found("exported_symbols", "libkvd.so", "peek")

    def test_public_declarations_without_a_comment(self):
        self.add("client/include/kvd/more.h",
                 "KVD_API int\nkvd_call(void);\nstruct kvd_type {\n    int a; /* not of the type */\n};\n"
                 "typedef void (*kvd_some_cb)(void);\nstatic inline int kvd_inline(int a) {\n    return a;\n}\n")
        for name in ("kvd_call", "kvd_type", "kvd_some_cb", "kvd_inline"):
            self.assert_found("public_comments", "more.h", name)

    def test_comments_above_and_behind_are_enough(self):
        self.add("client/include/kvd/more.h",
                 "/* Calls. */\nKVD_API int kvd_call(void);\nstruct kvd_type; /* opaque */\n"
                 "/* Does. Errors: none. */\nKVD_API enum kvd_status kvd_do(struct kvd_type *type);\n")
        self.assertEqual(self.findings("public_comments"), [])

    def test_call_that_does_not_tell_its_errors(self):
        self.add("client/include/kvd/more.h",
                 "/* Errors: of another. */\nKVD_API int kvd_other(void);\n\n"
                 "/* Does. */\nKVD_API enum kvd_status kvd_do(void);\n")
        self.assert_found("public_comments", "more.h", "kvd_do does not tell its errors")

    def test_call_without_a_symbol_version(self):
        self.add("client/include/kvd/more.h", "KVD_API int kvd_new(void);\nKVD_API int\nkvd_old(void);\n")
        self.write("client/libkvd.map", "/* kvd_new; */\nKVD_0.1 { global: kvd_old; local: *; };\n")
        self.assert_found("symbol_versions", "more.h", "kvd_new")
        self.assertEqual(len(self.findings("symbol_versions")), 1)

    def test_symbol_version_without_a_call(self):
        self.write("client/libkvd.map", "KVD_0.1 { global: kvd_gone; local: *; };\n")
        self.assert_found("symbol_versions", "libkvd.map", "no public header")

    def test_symbol_in_two_versions(self):
        self.add("client/include/kvd/more.h", "KVD_API int kvd_old(void);\n")
        self.write("client/libkvd.map", "KVD_0.1 { kvd_old; };\nKVD_0.2 { kvd_old; } KVD_0.1;\n")
        self.assert_found("symbol_versions", "libkvd.map", "twice")

    def test_library_that_is_not_built(self):
        self.assert_found("exported_symbols", "libkvd.a", "not built")

    def test_link_that_leads_nowhere(self):
        self.write("docs/a.md", "[a](a.md) [top](../README.md#x) [web](https://a.b/c) [in](#here)\n")
        self.write("README.md", "[a](docs/a.md)\n")
        self.assertEqual(self.findings("links"), [])
        self.write("README.md", "\n[b](docs/b.md)\n")
        self.assert_found("links", "README.md", "docs/b.md")

    @unittest.skipUnless(shutil.which("clang-format-19"), "clang-format-19 is not there")
    def test_layout_of_another_taste(self):
        self.add("server/taste.c", "int   f ( void )\n{ return 1; }\n")
        self.assert_found("layout", "server/taste.c", "laid out")

    # ------------------------------------------------------------------------------ of this file

    def test_every_check_is_shown_to_fail(self):
        with open(os.path.splitext(os.path.abspath(__file__))[0] + ".py", encoding="utf-8") as file:
            text = file.read()
        for check in tidy.CHECKS:
            self.assertIn('assert_found("%s"' % check, text)


if __name__ == "__main__":
    unittest.main()
