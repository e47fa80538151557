# kvcli_completion_test.py: the completion of bash and zsh, asked for in the shells themselves.
import json
import os
import shutil
import subprocess
import tempfile
import unittest

from kvcli_case import BUILD, KVCLI
from terminal import Terminal

# Prints what bash would offer for the words given, the last of which is being typed.
ASK_BASH = """
source <("$KVCLI" completion bash)
complete -p kvcli > /dev/null || exit 9
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_kvcli
printf '%s\\n' "${COMPREPLY[@]}"
"""


class BashTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="kvcli-")
        self.addCleanup(shutil.rmtree, self.folder)

    def offered(self, *words):
        run = subprocess.run(["bash", "--norc", "-c", ASK_BASH, "bash", "kvcli", *words],
                             env=dict(os.environ, KVCLI=KVCLI), cwd=self.folder, timeout=60,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual((run.returncode, run.stderr), (0, b""))
        return run.stdout.decode().split()

    def help(self):
        lines = subprocess.check_output([KVCLI, "--json", "help"]).splitlines()
        return {entry["command"]: entry for entry in map(json.loads, lines)}

    def test_commands_come_first(self):
        self.assertEqual(self.offered(""), list(self.help()))
        self.assertEqual(self.offered("sn"), ["snapshot"])
        self.assertEqual(self.offered("--server", "here:1", "--json", "sn"), ["snapshot"])
        self.assertEqual(self.offered("-n", "get", "sn"), ["snapshot"])
        self.assertIn("--server", self.offered("--"))

    def test_every_option_is_offered_to_the_commands_that_take_it(self):
        commands = self.help()
        for command in commands:
            self.assertEqual(self.offered(command, "--"),
                             [option["name"] for option in commands[command]["options"]])

    def test_sub_commands_and_values_are_offered(self):
        self.assertEqual(self.offered("snapshot", ""), ["open", "close", "list"])
        self.assertEqual(self.offered("completion", "z"), ["zsh"])
        self.assertEqual(self.offered("help", "sn"), ["snapshot"])
        self.assertEqual(self.offered("put", "k", "v", "-d", ""), ["memory", "logged", "synced"])
        self.assertEqual(self.offered("put", "k", "v", "--durability", "s"), ["synced"])
        self.assertEqual(self.offered("put", "k", "v", "--ttl", ""), [])

    def test_files_are_offered_where_files_are_wanted(self):
        open(os.path.join(self.folder, "some-file"), "w").close()
        for words in (["import"], ["put", "k", "--file"], ["put", "k", "-f"], ["verify"]):
            self.assertEqual(self.offered(*words, "so"), ["some-file"], words)
        self.assertEqual(self.offered("get", "so"), [])

    def test_another_shell_has_none(self):
        run = subprocess.run([KVCLI, "completion", "fish"], stderr=subprocess.PIPE)
        self.assertEqual(run.returncode, 2)
        self.assertIn(b"bash", run.stderr)


@unittest.skipUnless(shutil.which("zsh"), "there is no zsh")
class ZshTest(unittest.TestCase):
    def test_a_tab_completes(self):
        folder = tempfile.mkdtemp(prefix="kvcli-")
        self.addCleanup(shutil.rmtree, folder)
        env = dict(os.environ, TERM="xterm", HOME=folder, ZDOTDIR=folder,
                   PATH=os.path.abspath(BUILD) + ":" + os.environ["PATH"])
        shell = Terminal(["zsh", "-f", "-i"], env, columns=150)
        self.addCleanup(shell.close)
        shell.type("autoload -U compinit && compinit -u; PS1='ready> '\n")
        shell.expect("ready> $")
        shell.type("source <(kvcli completion zsh)\n")
        shell.expect("ready> $")
        shell.type("kvcli sna\tope\t--lifet\t")
        shell.expect("snapshot.*open.*--lifetime ")  # zsh draws parts anew
        shell.type("\x15kvcli put k v --durability s\t")
        shell.expect("synced ")


if __name__ == "__main__":
    unittest.main()
