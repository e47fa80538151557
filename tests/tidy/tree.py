# tree.py: the source tree as tidy.py's checks see it: files, code without comments, includes,
# functions, macros, and the symbols of built objects.
import os
import re
import subprocess

FOLDERS = ("protocol", "storage", "server", "client", "tests", "docs")


def blank(text, keep_strings):
    """The text with comments (and, unless kept, the insides of strings) turned into spaces."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''

    def replace(match):
        found = match.group(0)
        if found[0] != "/":
            return found if keep_strings else found[0] + re.sub(r"[^\n]", " ", found[1:-1]) + found[0]
        return re.sub(r"[^\n]", " ", found)

    return re.sub(pattern, replace, text, flags=re.S)


class Function:
    def __init__(self, name, line, line_count, parameter_count, depth):
        self.name = name
        self.line = line
        self.line_count = line_count
        self.parameter_count = parameter_count
        self.depth = depth  # blocks inside blocks; 0 is straight code


def functions_of(code):
    """The function definitions in code that has no comments and strings any more."""
    code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group(0)),
                  code, flags=re.M)
    # The linkage brace of a C header that C++ may include is no block.
    code = re.sub(r'extern\s+"[^"]*"\s*{', lambda m: " " * len(m.group(0)), code)
    found, open_braces, deepest, head_start = [], [], 0, 0
    for at, char in enumerate(code):
        if char == "{":
            if not open_braces:
                head, start = code[head_start:at], head_start
            open_braces.append(is_block(code, at))
            deepest = max(deepest, sum(open_braces))
        elif char == "}" and open_braces:
            open_braces.pop()
            if not open_braces:
                function = function_from(code, head, start, at, deepest)
                if function:
                    found.append(function)
                head_start, deepest = at + 1, 0
        elif char == ";" and not open_braces:
            head_start = at + 1
    return found


def is_block(code, at):
    """Whether the brace opens statements, not the values of a struct or array: "= {", "(type){"."""
    before = code[max(at - 80, 0):at].rstrip()
    return code[at - 1].isspace() and before[-1:] not in ("=", ",", "(", "{", "[")


def function_from(code, head, start, end, deepest):
    match = re.search(r"(\w+)\s*\(", head)
    if not match or "=" in head.split("(")[0] or re.match(r"\s*(struct|enum|union)\s+\w+\s*$", head):
        return None
    start += len(head) - len(head.lstrip())
    line = code.count("\n", 0, start) + 1
    line_count = code.count("\n", start, end) + 1
    return Function(match[1], line, line_count, parameter_count(head[match.end() - 1:]), deepest - 1)


def parameter_count(text):
    """Of "(int a, void (*b)(int, int)) ...": 2. Neither the dots of printf nor the error detail that
    whatever touches a file has at its end makes a function harder to call: they are not counted."""
    depth = commas = 0
    for at, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        commas += char == "," and depth == 1
        if depth == 0:
            inside = text[1:at].strip()
            return 0 if inside in ("", "void") else commas + 1 - bool(
                re.search(r"(\.\.\.|struct error \*error)$", inside))
    return commas + 1


class Source:
    def __init__(self, root, path):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            self.text = file.read()
        self.path = path
        self.stem = os.path.splitext(path)[0]
        self.folder = path.split("/")[0]
        self.code = blank(self.text, keep_strings=False)
        self.line_count = self.text.count("\n")

    def includes(self):
        """(line, "name" or <name> with its quotes) of each #include."""
        kept = blank(self.text, keep_strings=True)
        return [(kept.count("\n", 0, m.start()) + 1, m[1])
                for m in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*("[^"]+"|<[^>]+>)', kept, re.M)]

    def functions(self):
        return functions_of(self.code)

    def macros(self):
        """(line, name, body) of each #define."""
        found = re.finditer(r"^[ \t]*#[ \t]*define[ \t]+(\w+)((?:[^\n]*\\\n)*[^\n]*)", self.code, re.M)
        return [(self.code.count("\n", 0, m.start()) + 1, m[1], m[2]) for m in found]

    def code_line_count(self):
        return sum(1 for line in self.code.split("\n") if line.strip())


class Symbol:
    def __init__(self, name, section, is_global):
        self.name = name
        self.section = section  # "*UND*" when it is only used here
        self.is_global = is_global


class Tree:
    def __init__(self, root, build):
        self.root = root
        self.build = build if os.path.isabs(build) else os.path.join(root, build)
        self.sources = [Source(root, path) for path in self.files(".c", ".h")]
        self.by_path = {source.path: source for source in self.sources}
        self._symbols = {}

    def files(self, *endings):
        found = []
        for folder in FOLDERS:
            for place, folders, names in os.walk(os.path.join(self.root, folder)):
                folders.sort()
                found += [os.path.relpath(os.path.join(place, name), self.root)
                          for name in sorted(names) if name.endswith(endings)]
        return found

    def product(self):
        """What is built into kvd, kvcli and libkvd."""
        return [source for source in self.sources if source.folder not in ("tests", "docs")]

    def text(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8") as file:
            return file.read()

    def object_path(self, source):
        return os.path.join(self.build, "obj", source.stem + ".o")

    def symbols(self, source):
        """The symbols of the object built from the source; None when there is no object."""
        path = self.object_path(source)
        if path not in self._symbols:
            self._symbols[path] = read_symbols(path) if os.path.exists(path) else None
        return self._symbols[path]


def read_symbols(path):
    run = subprocess.run(["objdump", "-t", path], stdout=subprocess.PIPE, check=True, text=True)
    found = []
    for line in run.stdout.split("\n"):
        match = re.match(r"[0-9a-f]{16} (.)(.{6}) (\S+)\s+[0-9a-f]+ (?:\.hidden )?(\S+)$", line)
        if match and "d" not in match[2]:  # not a section's own symbol
            found.append(Symbol(match[4], match[3], match[1] in "gu" or match[3] in ("*UND*", "*COM*")))
    return found
