#!/usr/bin/env python3
# pages.py: makes the manual pages kvd(1), kvcli(1), kvd.conf(5) and libkvd(3).
#
#     pages.py BUILD VERSION FOLDER
#
# Nothing is written twice: commands and options come from `kvcli --json help` and `kvd --help`, calls
# from the comments of kvd.h, all else from the guides in docs/. Standard library only.
import json
import os
import re
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


# --- roff

def literal(text):
    """Text as it is: no letter of it is understood by roff."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = "".join(char if ord(char) < 128 else "\\[u%04X]" % ord(char) for char in text)
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


def inline(text):
    """A line of Markdown: `code` and **strong** in bold, links as their text."""
    text = re.sub(r"\[([^]]*)\]\(([^)]*)\)", r"\1", text)
    parts = re.split(r"(`[^`]*`|\*\*[^*]+\*\*)", text)
    done = ""
    for part in parts:
        if part[:1] == "`" and len(part) > 1:
            done += "\\fB" + literal(part[1:-1]).replace("\\&", "") + "\\fR"
        elif part[:2] == "**" and len(part) > 4:
            done += "\\fB" + literal(part[2:-2]) + "\\fR"
        else:
            done += literal(part).replace("\\&", "")
    return re.sub(r"^([.'])", r"\\&\1", done.strip())


def verbatim(lines):
    return [".PP", ".RS 4", ".nf"] + [literal(line) or "\\&" for line in lines] + [".fi", ".RE"]


def table(rows):
    """Each row: its first cell as a tag, the rest as text."""
    out = []
    for row in rows:
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip().strip("|"))]
        cells = [cell.replace("\\|", "|") for cell in cells]
        rest = "; ".join(cell for cell in cells[1:] if cell)
        out += [".TP", inline(cells[0]) or "\\&", inline(rest) or "\\&"]
    return out


def block(lines):
    """One block of Markdown: lines between empty ones."""
    if lines[0].startswith("    "):
        return verbatim([line[4:] for line in lines])
    if lines[0].startswith("|"):
        return table(lines[2:])
    if re.match(r"#+ ", lines[0]):
        level, title = lines[0].split(" ", 1)
        macro = ".SH " if len(level) <= 2 else ".SS "
        text = literal(title.replace("`", "")).replace('"', "''")
        return [macro + (text.upper() if len(level) <= 2 else text)] + \
            (block(lines[1:]) if lines[1:] else [])
    out = []
    for line in lines:
        if line.startswith("- "):
            out += [".IP \\(bu 2", inline(line[2:])]
        elif re.match(r"\d+\. ", line):
            out += [".IP %s 3" % line.split(" ")[0], inline(line.split(" ", 1)[1])]
        elif re.match(r"\|", line):
            out += table([line])
        else:
            out += [".PP"] if not out else [".br"] if re.match(r" {2,3}\S", line) else []
            out += [inline(line)]
    return out


def markdown(text):
    out = []
    paragraph = []
    for line in text.splitlines() + [""]:
        if line.strip():
            paragraph.append(line.rstrip())
        elif paragraph:
            out += block(paragraph)
            paragraph = []
    return out


def page(name, section, what, body, version, sources):
    newest = max(os.path.getmtime(os.path.join(TOP, source)) for source in sources)
    date = time.strftime("%Y-%m-%d", time.gmtime(float(os.environ.get("SOURCE_DATE_EPOCH", newest))))
    head = ['.\\" Made by docs/man/pages.py; do not edit.',
            '.TH %s %s %s "kvd %s" "kvd"' % (name.upper(), section, date, version),
            ".nh", ".ad l", ".SH NAME", "%s \\- %s" % (name, what)]
    lines = [line for line in head + body if line]
    return "\n".join(line for at, line in enumerate(lines)  # a heading makes room itself
                     if not (line == ".PP" and lines[at - 1][:3] in (".SH", ".SS"))) + "\n"


# --- sources

def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


def behind_title(text):
    return text.split("\n", 1)[1]


def option_lines(option):
    tag = "\\fB%s\\fR" % literal(option["name"])
    if option["letter"]:
        tag = "\\fB\\-%s\\fR, %s" % (option["letter"], tag)
    if option["value"]:
        tag += " \\fI%s\\fR" % literal(option["value"])
    return [".TP", tag, inline(option["help"])]


def kvcli_page(build):
    run = subprocess.run([build + "/kvcli", "--json", "help"], stdout=subprocess.PIPE, check=True)
    commands = [json.loads(line) for line in run.stdout.splitlines()]
    body = [".SH SYNOPSIS", "\\fBkvcli\\fR [\\fIoption\\fR]... [\\fIcommand\\fR [\\fIargument\\fR]...]",
            ".SH DESCRIPTION"]
    guide = behind_title(read("docs/kvcli.md")).strip()
    intro, rest = guide.split("\n## ", 1)
    body += markdown(intro)[1:] + [".SH OPTIONS OF EVERY COMMAND"]
    for option in commands[0]["options"]:
        body += option_lines(option) if option["every_command"] else []
    body += [".SH COMMANDS"]
    for command in commands:
        body += [".SS %s" % literal((command["command"] + " " + command["arguments"]).strip()),
                 inline(command["help"]) + "."]
        for option in command["options"]:
            body += [] if option["every_command"] else option_lines(option)
    return body + markdown("## " + rest) + see_also("kvd (1)", "kvd.conf (5)", "libkvd (3)")


def kvd_page(build):
    text = subprocess.run([build + "/kvd", "--help"], stdout=subprocess.PIPE, check=True,
                          universal_newlines=True).stdout
    usage, rest = text.split("Usage: ", 1)[1].split("\n\n", 1)
    options, rest = rest.split("\n\n", 1)
    body = [".SH SYNOPSIS", ".nf"]
    body += [literal(line.strip()) if line.startswith(" " * 7 + "kvd") or line.startswith("kvd")
             else literal(line[7:]) for line in usage.splitlines()]
    body += [".fi", ".SH OPTIONS"]
    lines = options.splitlines()
    for at, line in enumerate(lines):
        found = re.match(r"  (--\S+(?: \S+)?) {1,}(\S.*)$", line)
        if found:
            joined = at and re.match(r"  --listen", line) and "--listen" in lines[at - 1]
            body += [".TQ" if joined else ".TP", "\\fB%s\\fR" % literal(found[1])]
            if not (line.startswith("  --listen") and lines[at + 1].startswith("  --listen")):
                previous = re.match(r"  --listen \S+ +(.*)$", lines[at - 1]) if joined else None
                body += [inline((previous[1] + " " if previous else "") + found[2])]
        elif line.strip():
            body += [inline(line)]
    body += [".SH NOTES"]
    body += markdown(rest.strip())[1:]
    body += markdown(behind_title(read("docs/operations.md")))
    return body + see_also("kvcli (1)", "kvd.conf (5)", "libkvd (3)")


def conf_page(_build):
    guide = behind_title(read("docs/configuration.md")).strip()
    return [".SH DESCRIPTION"] + markdown(guide)[1:] + see_also("kvd (1)", "kvcli (1)")


def comment_text(comment):
    """The words of a C comment."""
    return "\n".join(re.sub(r"^ ?\* ?", "", line.strip() if at else line)
                     for at, line in enumerate(comment.strip()[2:-2].strip().splitlines()))


def libkvd_page(_build):
    folder = os.path.join(TOP, "client/include/kvd")
    names = sorted(os.listdir(folder), key=lambda name: (name != "kvd.h", name))
    header = "\n".join(read("client/include/kvd/" + name) for name in names)
    first = re.match(r"/\*.*?\*/", header, re.S)[0]
    body = [".SH SYNOPSIS", "\\fB#include <kvd/kvd.h>\\fR", ".PP",
            "cc \\fIprogram.c\\fR $(pkg\\-config \\-\\-cflags \\-\\-libs kvd)", ".SH DESCRIPTION"]
    body += markdown(comment_text(first).split("\n", 1)[1])[0:]
    for found in re.finditer(r"^(?P<type>(?:struct|enum) \w+ \{(?:[^\n]*\};|\n.*?^\};))|/\* --- (?P<title>[^\n]*?) ---(?P<more>.*?)\*/"
                             r"|(?P<comment>/\*(?:(?!\*/).)*?\*/\n)?(?P<call>^KVD_API [^;]*;)",
                             header, re.S | re.M):
        if found["title"]:
            body += [".SH " + literal(found["title"].upper())]
            if found["more"].strip():
                body += markdown(comment_text("/*" + found["more"] + "*/"))
        elif found["type"]:
            body += [".SS " + literal(found["type"].split(" {")[0])]
            body += verbatim(found["type"].splitlines())[1:]
        elif found["call"]:
            call = re.sub(r"^KVD_API ", "", found["call"])
            name = re.search(r"(kvd_\w+)\(", call)[1]
            body += [".SS " + literal(name)]
            body += verbatim(call.splitlines())[1:]
            body += markdown(comment_text(found["comment"])) if found["comment"] else []
    return body + see_also("kvd (1)", "kvcli (1)")


def see_also(*names):
    lines = [".BR %s%s" % (name, "," if at + 1 < len(names) else "")
             for at, name in enumerate(names)]
    return [".SH SEE ALSO"] + lines


PAGES = (
    ("kvd", 1, "durable key\\-value server", kvd_page, ("server/options.c", "docs/operations.md")),
    ("kvcli", 1, "command\\-line tool of the key\\-value server kvd", kvcli_page,
     ("client/kvcli/options.h", "client/kvcli/command_list.h", "docs/kvcli.md")),
    ("kvd.conf", 5, "configuration of the key\\-value server kvd", conf_page,
     ("docs/configuration.md",)),
    ("libkvd", 3, "client library of the key\\-value server kvd", libkvd_page,
     ("client/include/kvd/kvd.h",)),
)


def main(build, version, folder):
    os.makedirs(folder, exist_ok=True)
    for name, section, what, make, sources in PAGES:
        path = os.path.join(folder, "%s.%d" % (name, section))
        with open(path, "w", encoding="ascii") as file:
            file.write(page(name, section, what, make(os.path.abspath(build)), version, sources))


if __name__ == "__main__":
    main(*sys.argv[1:])
