#!/usr/bin/env python3
# tidy.py: the rules of the house, checked.
#
#     tests/tidy/tidy.py [--root DIR] [--build DIR] [CHECK...]
#
# Each check is a small function from the tree to its findings, (path, line, text). The checks on
# symbols look at the objects and libraries in the build folder, so kvd is built first. That every
# check does fail when its rule is broken is shown by tidy_test.py, which runs before the checks.
# The last line is "N passed, N failed": one for each check and each of its tests.
import argparse
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from tree import Tree  # noqa: E402

FILE_LINES_MAX = 700
FUNCTION_LINES_MAX = 70
PARAMETERS_MAX = 6
NESTING_MAX = 3
BASE_CODE_LINES_MAX = 1000

TOP_LEVEL = {"server", "storage", "protocol", "client", "tests", "docs", "Makefile", "README.md",
             "LICENSE", "config.example.toml", "build", "data"}

LIBKVD_MAP = "client/libkvd.map"
# A call, a type or a callback's type at the left margin of a header.
PUBLIC_DECLARATION = (r"^(?:KVD_API\b[^;{]*?|static inline\b[^;{]*?|struct |enum |typedef\b[^;{]*?\(\*)"
                      r"\b(kvd_\w+)(?=\s*[({;)])")

# Who may include what: the first pattern that fits the including file decides.
ARROWS = (
    (r"protocol/base/", r"protocol/base/"),
    (r"protocol/", r"protocol/"),
    (r"storage/", r"storage/|protocol/base/"),
    (r"server/", r"server/|protocol/wire\.h$|protocol/base/|storage/store\.h$"),
    (r"client/kvcli/", r"client/kvcli/|kvd/kvd\.h$|protocol/wire\.h$|protocol/base/"),
    (r"client/include/", r"kvd/"),
    (r"client/", r"client/(?!kvcli/)|kvd/kvd\.h$|protocol/wire\.h$|protocol/base/"),
    (r"docs/", r"kvd/(kvd|kvd_uv)\.h$"),
    (r"tests/", r""),
)

# Libraries and parts of the system, and the only places that may use them.
SYSTEM_HEADERS = (
    (r"uv\.h|uv/", r"server/|tests/|client/include/kvd/kvd_uv\.h$"),  # the last is not of libkvd
    (r"microhttpd\.h", r"server/"),
    (r"zstd\w*\.h", r"storage/|client/kvcli/backup_block|tests/"),  # backups are files of kvcli's own
    (r"xxhash\.h", r"storage/|client/|tests/"),
    (r"histedit\.h", r"client/kvcli/"),
    (r"check\.h", r"tests/"),
    (r"dlfcn\.h|sys/mman\.h", r"tests/"),
    # the codec: no I/O, no clock, no threads
    (r"unistd\.h|fcntl\.h|time\.h|sys/.*|pthread\.h|threads\.h|netinet/.*",
     r"storage/|server/|client/|tests/|docs/"),
)

# called by a library, which says what it is given
SHAPES_OF_LIBRARIES = (("server/metrics_http.c", "request_cb"),)

ALLOCATORS = ("malloc calloc realloc reallocarray free strdup strndup posix_memalign aligned_alloc "
              "memalign valloc asprintf vasprintf getline getdelim open_memstream").split()
FILE_CALLS = ("open openat open64 creat close read pread pread64 preadv preadv2 readv write pwrite "
              "pwritev pwritev2 writev fsync fdatasync sync syncfs sync_file_range rename renameat "
              "unlink unlinkat remove truncate ftruncate fallocate posix_fallocate posix_fadvise "
              "mkdir rmdir opendir fdopendir readdir stat fstat lstat fstatat statx statfs fstatfs "
              "statvfs fstatvfs flock fcntl fopen fdopen fread fwrite fclose fgets ioctl lseek").split()
CLOCK_CALLS = "time clock clock_gettime gettimeofday".split()
PRINT_CALLS = "printf fprintf vprintf vfprintf puts putchar fputs perror".split()
UNSAFE_CALLS = ("strcpy stpcpy strcat sprintf vsprintf atoi atol atoll atof gets alloca strtok tmpnam "
                "mktemp localtime gmtime asctime ctime strerror setjmp longjmp").split()
MAP_CALLS = "mmap mmap64 mremap".split()

# (what, calls, where it holds, where it does not)
BANNED = (
    ("allocates past memory.h", ALLOCATORS, r"protocol/|storage/|server/|client/|tests/",
     r"protocol/base/memory\.c$"),
    ("touches files past env.h", FILE_CALLS, r"storage/|protocol/",
     r"storage/env_posix\w*\.c$"),
    # lock.h waits on conditions until a point of the monotonic clock
    ("reads the clock past env.h", CLOCK_CALLS, r"storage/|protocol/",
     r"storage/env_posix\w*\.c$|storage/lock\.h$"),
    ("prints, which only server/ and tools do", PRINT_CALLS,
     r"storage/|protocol/|client/(?!kvcli/)", r"protocol/base/assert\.c$"),
    ("is unsafe or not of one thread", UNSAFE_CALLS, r"", None),
    ("maps memory: an I/O error must be a status, not a signal", MAP_CALLS, r"", None),
)

MUTABLE_GLOBALS_ALLOWED = {"protocol/base/memory.c"}
MACROS_ALLOWED = {("tests/unit/unit.h", "UNIT_MAIN")}  # a whole main(), hiding nothing inside one


def resolve(tree, name):
    """The path in the tree that an include in quotes or of our own public header means."""
    bare = name[1:-1]
    if bare.startswith("kvd/"):
        return "client/include/" + bare
    return bare if name[0] == '"' else None


def check_top_level(tree):
    """Nothing at the top but the folders and files of the plan."""
    return [(name, 0, "is not one of the top level's folders and files")
            for name in sorted(os.listdir(tree.root))
            if name not in TOP_LEVEL and not name.startswith(".")]


def check_doors(tree):
    """Includes follow the arrows, and other folders are entered by their door alone."""
    found = []
    for source in tree.sources:
        allowed = next((arrow[1] for arrow in ARROWS if re.match(arrow[0], source.path)), r"")
        for line, name in source.includes():
            path = resolve(tree, name)
            if path and not re.match(allowed, name[1:-1]):
                found.append((source.path, line, "may not include " + name))
    return found


def check_rooted(tree):
    """Includes in quotes are rooted at the repository and name a file that is there."""
    return [(source.path, line, "%s is no file of the repository" % name)
            for source in tree.sources for line, name in source.includes()
            if resolve(tree, name) and resolve(tree, name) not in tree.by_path]


def check_own_header_first(tree):
    """A source file includes its own header before all others."""
    found = []
    for source in tree.sources:
        own = '"%s.h"' % source.stem
        includes = source.includes()
        if source.path.endswith(".c") and source.stem + ".h" in tree.by_path and \
                (not includes or includes[0][1] != own):
            found.append((source.path, 1, "does not include its own header first"))
    return found


def check_libraries(tree):
    """Each library is used only where the plan says."""
    found = []
    for source in tree.sources:
        for line, name in source.includes():
            for header, place in SYSTEM_HEADERS:
                if name[0] == "<" and re.fullmatch(header, name[1:-1]) and \
                        not re.match(place, source.path):
                    found.append((source.path, line, "may not use " + name))
    return found


def read_levels(tree):
    """levels.txt: {stem or file: [level, step]}. A line is "FOLDER LEVEL[.STEP]: NAME..."."""
    levels, findings = {}, []
    path = "tests/tidy/levels.txt"
    if not os.path.exists(os.path.join(tree.root, path)):
        return levels, [(path, 0, "is missing")]
    for number, line in enumerate(tree.text(path).split("\n"), 1):
        line = line.split("#")[0].strip()
        match = re.fullmatch(r"(\w+)\s+(\d+(?:\.\d+)?):\s*([\w./ -]+)", line)
        if line and not match:
            findings.append((path, number, "is not 'FOLDER LEVEL: NAME...'"))
        for name in match[3].split() if match else ():
            room = match[1] + "/" + name
            if room in levels:
                findings.append((path, number, room + " has two levels"))
            levels[room] = [int(number) for number in match[2].split(".")]
    return levels, findings


def level_of(levels, path):
    return levels.get(path, levels.get(os.path.splitext(path)[0]))


def level_text(level):
    return ".".join(str(number) for number in level)


def leveled(tree):
    return [source for source in tree.sources if source.folder in ("storage", "server")]


def check_levels_named(tree):
    """Every file of storage/ and server/ has a level, and every level has its file."""
    levels, found = read_levels(tree)
    names = set()
    for source in leveled(tree):
        names.update((source.path, source.stem))
        if level_of(levels, source.path) is None:
            below = [level_of(levels, name[1:-1]) for _, name in source.includes()
                     if name[1:].startswith(source.folder + "/") and name != '"%s.h"' % source.stem]
            found.append((source.path, 0, "has no level in tests/tidy/levels.txt; what it includes is "
                          "at most of level " + level_text(max(filter(None, below), default=[0]))))
    return found + [("tests/tidy/levels.txt", 0, room + " is no file") for room in levels
                    if room not in names]


def check_levels(tree):
    """A file of storage/ and server/ includes only lower levels, its own header excepted."""
    levels, _ = read_levels(tree)
    found = []
    for source in leveled(tree):
        own = level_of(levels, source.path)
        for line, name in source.includes():
            other = level_of(levels, name[1:-1])
            if name != '"%s.h"' % source.stem and own is not None and other is not None and \
                    name[1:-1].split("/")[0] == source.folder and other >= own:
                found.append((source.path, line, "of level %s includes %s of level %s" %
                              (level_text(own), name, level_text(other))))
    return found


def check_include_cycles(tree):
    """No cycle of includes."""
    found, state = [], {}

    def visit(path, trail):
        state[path] = "open"
        for line, name in tree.by_path[path].includes():
            next_path = resolve(tree, name)
            if next_path not in tree.by_path:
                continue
            if state.get(next_path) == "open":
                found.append((path, line, "closes a cycle: " + " -> ".join(trail + [path, next_path])))
            elif next_path not in state:
                visit(next_path, trail + [path])
        state[path] = "done"

    for source in tree.sources:
        if source.path not in state:
            visit(source.path, [])
    return found


def check_calls(tree):
    """Calls follow the arrows and levels too: an object uses only symbols from where it may include."""
    levels, _ = read_levels(tree)
    sources = [source for source in tree.product() if source.path.endswith(".c")]
    homes = {}
    for source in sources:
        for symbol in tree.symbols(source) or ():
            if symbol.is_global and symbol.section != "*UND*":
                homes.setdefault(symbol.name, []).append(source)  # client and server may share a name
    found = []
    for source in sources:
        for symbol in tree.symbols(source) or ():
            home = homes.get(symbol.name, [])
            if symbol.section == "*UND*" and home and \
                    not any(call_allowed(levels, source, place) for place in home):
                found.append((source.path, 0, "uses %s of %s" % (symbol.name, home[0].path)))
    return found


def call_allowed(levels, source, home):
    allowed = {"protocol": ("protocol",), "storage": ("storage", "protocol"),
               "server": ("server", "storage", "protocol"), "client": ("client", "protocol")}
    if home.folder not in allowed[source.folder]:
        return False
    if home.folder == "protocol" and not home.path.startswith("protocol/base/"):
        return source.folder != "storage" and not source.path.startswith("protocol/base/")
    own, other = level_of(levels, source.path), level_of(levels, home.path)
    return source.folder != home.folder or own is None or other is None or other < own


def check_file_sizes(tree):
    """A file has at most 700 lines."""
    return [(source.path, source.line_count, "has %d lines, more than %d" %
             (source.line_count, FILE_LINES_MAX))
            for source in tree.sources if source.line_count > FILE_LINES_MAX]


def check_function_sizes(tree):
    """A function has at most 70 lines."""
    return [(source.path, function.line, "%s has %d lines, more than %d" %
             (function.name, function.line_count, FUNCTION_LINES_MAX))
            for source in tree.sources for function in source.functions()
            if function.line_count > FUNCTION_LINES_MAX]


def check_parameters(tree):
    """A function has at most six parameters, an error detail at the end not counted; those that a library shapes aside."""
    return [(source.path, function.line, "%s has %d parameters, more than %d" %
             (function.name, function.parameter_count, PARAMETERS_MAX))
            for source in tree.product() for function in source.functions()
            if function.parameter_count > PARAMETERS_MAX and
            (source.path, function.name) not in SHAPES_OF_LIBRARIES]


def check_nesting(tree):
    """A function nests at most three blocks."""
    return [(source.path, function.line, "%s nests %d blocks, more than %d" %
             (function.name, function.depth, NESTING_MAX))
            for source in tree.product() for function in source.functions()
            if function.depth > NESTING_MAX]


def check_base_size(tree):
    """protocol/base has under 1,000 lines of code."""
    total = sum(source.code_line_count() for source in tree.sources
                if source.path.startswith("protocol/base/"))
    return [("protocol/base", 0, "has %d lines of code" % total)] if total >= BASE_CODE_LINES_MAX else []


def check_banned_calls(tree):
    """Nobody calls what has a better or safer place. env->write() and a static write() are not it."""
    found = []
    for source in tree.sources:
        own = set(re.findall(r"^static [^;{}=]*?(\w+)\(", source.code, re.M))
        for what, calls, place, exception in BANNED:
            if not re.match(place, source.path) or (exception and re.match(exception, source.path)):
                continue
            for match in re.finditer(r"(?<![\w.>])(%s)\s*\(" % "|".join(calls), source.code):
                line = source.code.count("\n", 0, match.start()) + 1
                if match[1] not in own:
                    found.append((source.path, line, "%s() %s" % (match[1], what)))
    return found


def check_banned_symbols(tree):
    """No object but memory.o knows malloc's family, and none mmap: not even by address."""
    found = []
    for source in tree.product():
        for symbol in (tree.symbols(source) or ()) if source.path.endswith(".c") else ():
            banned = symbol.name in MAP_CALLS or \
                (symbol.name in ALLOCATORS and source.path != "protocol/base/memory.c")
            if symbol.section == "*UND*" and banned:
                found.append((source.path, 0, "refers to " + symbol.name))
    return found


def check_mutable_globals(tree):
    """No object keeps state of its own, function-static and thread-local included."""
    found = []
    for source in tree.product():
        if source.path.endswith(".h") or source.path in MUTABLE_GLOBALS_ALLOWED:
            continue
        symbols = tree.symbols(source)
        if symbols is None:
            found.append((source.path, 0, "has no object in the build folder"))
        for symbol in symbols or ():
            mutable = re.match(r"\.(data|bss|tdata|tbss|lbss|ldata)|\*COM\*", symbol.section)
            if mutable and not symbol.section.startswith(".data.rel.ro"):
                found.append((source.path, 0, "%s is mutable (%s)" % (symbol.name, symbol.section)))
    return found


def check_macros(tree):
    """No macro hides a return, a goto or a loop."""
    found = []
    for source in tree.sources:
        for line, name, body in source.macros():
            words = re.sub(r"while\s*\(\s*0\s*\)", "", body)
            hidden = re.search(r"\b(return|goto|for|while|break|continue)\b", words)
            if hidden and (source.path, name) not in MACROS_ALLOWED:
                found.append((source.path, line, "macro %s hides '%s'" % (name, hidden[1])))
    return found


def check_headers_of_files(tree):
    """Each file opens with a comment that names it."""
    found = []
    for source in tree.sources:
        if not source.text.startswith("/* %s: " % os.path.basename(source.path)):
            found.append((source.path, 1, "does not open with '/* %s: '" % os.path.basename(source.path)))
    for path in tree.files(".py", ".sh"):
        opening = "\n".join(tree.text(path).split("\n")[:3])
        if os.path.basename(path) + ":" not in opening:
            found.append((path, 1, "does not open with a comment that names it"))
    return found


def check_include_guards(tree):
    """Every header has a guard."""
    return [(source.path, 1, "has no include guard") for source in tree.sources
            if source.path.endswith(".h") and
            not re.search(r"#ifndef (\w+)\n#define \1\b", source.text)]


def check_tests_included(tree):
    """No test is left out: each is named where it is found, and run."""
    found = []
    for source in tree.sources:
        if re.search(r"^\s*#\s*if\s+0\b", source.code, re.M):
            found.append((source.path, 0, "has code behind #if 0"))
        if not source.path.startswith("tests/") or not source.path.endswith(".c"):
            continue
        if "START_TEST" in source.code and not source.path.endswith("_test.c"):
            found.append((source.path, 0, "has tests, but its name does not end in _test.c"))
        run = "".join(re.findall(r"UNIT_MAIN\s*\(.*", source.code, re.S))
        run += "".join(re.findall(r"tcase_add\w*\s*\([^;]*;", source.code))
        for name in re.findall(r"^\s*START_TEST\s*\(\s*(\w+)", source.code, re.M):
            if not re.search(r"\b%s\b" % name, run):
                found.append((source.path, 0, "%s is never run" % name))
    for path in tree.files(".py"):
        text = tree.text(path)
        if re.search(r"^\s*@(unittest\.)?(skip\(|expectedFailure)", text, re.M):
            found.append((path, 0, "leaves out a test"))
        if path.startswith("tests/integration/") and re.search(r"class \w+\(.*TestCase\)", text) and \
                re.search(r"def test", text) and not path.endswith("_test.py"):
            found.append((path, 0, "has tests, but its name does not end in _test.py"))
    return found


def nm(path, *options):
    run = subprocess.run(["nm", *options, path], stdout=subprocess.PIPE, check=True, text=True)
    return [line.split() for line in run.stdout.split("\n") if len(line.split()) == 3]


def check_exported_symbols(tree):
    """libkvd.a and libkvd.so export only kvd_ names."""
    found = []
    if not any(source.path.startswith("client/") and source.path.endswith(".c")
               for source in tree.sources):
        return found
    for name, options in (("libkvd.a", ["-g", "--defined-only"]), ("libkvd.so", ["-D", "--defined-only"])):
        path = os.path.join(tree.build, name)
        if not os.path.exists(path):
            found.append((name, 0, "is not built"))
            continue
        symbols = [words for words in nm(path, *options) if words[1] != "A"]  # A: the version's name
        if not symbols:
            found.append((name, 0, "exports nothing"))
        found += [(name, 0, "exports " + words[2]) for words in symbols
                  if not words[2].startswith("kvd_")]
    return found


def public_calls(tree):
    """[(path, line, name)] of the calls that the public headers declare."""
    found = []
    for source in tree.sources:
        if source.path.startswith("client/include/"):
            for match in re.finditer(r"^KVD_API\b[^;{]*?\b(kvd_\w+)\s*\(", source.code, re.M):
                found.append((source.path, source.code.count("\n", 0, match.start()) + 1, match[1]))
    return found


def check_symbol_versions(tree):
    """client/libkvd.map has each public call once, and nothing else."""
    path = os.path.join(tree.root, LIBKVD_MAP)
    text = re.sub(r"/\*.*?\*/", "", tree.text(LIBKVD_MAP), flags=re.S) if os.path.exists(path) else ""
    listed = re.findall(r"\b(kvd_\w+);", text)
    calls = public_calls(tree)
    names = {name for _, _, name in calls}
    found = [(header, line, "%s has no version in %s" % (name, LIBKVD_MAP))
             for header, line, name in calls if name not in listed]
    found += [(LIBKVD_MAP, 0, "%s is in no public header" % name) for name in listed if name not in names]
    found += [(LIBKVD_MAP, 0, "%s is listed twice" % name)
              for name in sorted(set(listed)) if listed.count(name) > 1]
    return found


def check_public_comments(tree):
    """Each call and type of the public headers has a comment, above or behind, which tells a status's errors."""
    found = []
    for source in tree.sources:
        if not source.path.startswith("client/include/"):
            continue
        for match in re.finditer(PUBLIC_DECLARATION, source.code, re.M):
            line = source.code.count("\n", 0, match.start()) + 1
            lines = source.text.split("\n")
            above = line >= 2 and lines[line - 2].rstrip().endswith("*/")
            # behind it: where the declaration, or the opening of its braces, ends
            end = re.compile(r"[;{]").search(source.code, match.end(1)).start()
            behind = "/*" in source.text[end:].split("\n")[0]
            if not above and not behind:
                found.append((source.path, line, "%s has no comment" % match[1]))
            elif match[0].startswith("KVD_API enum kvd_status") and \
                    "rrors" not in source.text[:match.start()].rpartition("/*")[2]:
                found.append((source.path, line, "the comment of %s does not tell its errors" % match[1]))
    return found


def check_links(tree):
    """Links in README.md and docs/ lead to files that are there."""
    found = []
    for path in [name for name in ("README.md",) if os.path.exists(os.path.join(tree.root, name))] + \
            [name for name in tree.files(".md") if name.startswith("docs/")]:
        text = tree.text(path)
        for match in re.finditer(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
            target = os.path.normpath(os.path.join(os.path.dirname(path), match[1]))
            if not os.path.exists(os.path.join(tree.root, target)):
                line = text.count("\n", 0, match.start()) + 1
                found.append((path, line, "links to %s, which is not there" % target))
    return found


def check_layout(tree):
    """clang-format 19 would not change a line. Other versions differ, and are not asked."""
    tool = "clang-format-19"
    files = [source.path for source in tree.sources]
    try:
        run = subprocess.run([tool, "--dry-run", "--Werror"] + files, cwd=tree.root,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except FileNotFoundError:
        print("note: %s is not there; the layout is not checked" % tool)
        return []
    lines = re.findall(r"^(\S+?):(\d+):\d+: error: (.*)$", run.stdout, re.M)
    found = {path: (path, int(line), "is not laid out as clang-format does") for path, line, _ in
             reversed(lines)}
    if run.returncode != 0 and not found:
        return [(tool, 0, run.stdout.strip()[:500])]
    return sorted(found.values())


CHECKS = {name[len("check_"):]: function for name, function in sorted(globals().items())
          if name.startswith("check_")}


def run_self_test():
    """tidy_test.py: (passed, failed)."""
    import tidy_test
    suite = unittest.defaultTestLoader.loadTestsFromModule(tidy_test)
    result = unittest.TextTestRunner(verbosity=1).run(suite)
    failed = len(result.failures) + len(result.errors)
    return result.testsRun - failed, failed


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(here)))
    parser.add_argument("--build", default="build")
    parser.add_argument("check", nargs="*", help="only these; all by default, and their tests")
    options = parser.parse_args()
    passed, failed = (0, 0) if options.check else run_self_test()
    tree = Tree(options.root, options.build)
    for name in options.check or CHECKS:
        findings = CHECKS[name](tree)
        for path, line, text in findings:
            print("%s:%d: %s [%s]" % (path, line, text, name))
        print("%s %s: %s" % ("FAIL" if findings else "ok  ", name, CHECKS[name].__doc__.split("\n")[0]))
        passed += not findings
        failed += bool(findings)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
