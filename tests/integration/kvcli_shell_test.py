# kvcli_shell_test.py: kvcli without a command, typed to on a terminal as by a person.
import os
import re
import stat
import time
import unittest

from kvcli_case import KVCLI, KvcliCase
from terminal import Terminal

TAB, CTRL_C, CTRL_D, UP, ENTER = "\t", "\x03", "\x04", "\x1b[A", "\r"


def pasted(text):
    return "\x1b[200~" + text + "\x1b[201~"


class ShellTest(KvcliCase):
    def open_shell(self, *words, **env):
        self.env = dict(os.environ, KVD_SERVER=self.server.address, HOME=self.scratch,
                        TERM="xterm", LC_ALL="C.UTF-8")
        for name in ("NO_COLOR", "XDG_STATE_HOME"):
            self.env.pop(name, None)
        self.env.update(env)
        shell = Terminal([KVCLI, *words], self.env, columns=150)
        self.addCleanup(shell.close)
        self.prompt(shell)
        return shell

    def prompt(self, shell):
        seen = shell.expect(b"> ")
        shell.await_editing()
        return seen

    def run_line(self, shell, line):
        """Types a line and waits for the next prompt; what came between."""
        shell.type(line + ENTER)
        shell.expect(b"\r\n")
        return self.prompt(shell)

    # --- commands

    def test_commands_are_run_one_after_another(self):
        shell = self.open_shell()
        self.run_line(shell, "put key 'a  value'")
        shell.type("get key" + ENTER)
        shell.expect(b"\r\na  value\r\n")
        shell.type("get absent" + ENTER)
        shell.expect(b"kvcli: absent: no such key\r\n")
        shell.type("exit" + ENTER)
        self.assertEqual(shell.finish(), 0)

    def test_the_end_of_input_ends_it(self):
        shell = self.open_shell()
        shell.type(CTRL_D)
        self.assertEqual(shell.finish(), 0)

    def test_words_are_quoted_as_in_a_batch_and_hold_any_byte(self):
        shell = self.open_shell()
        shell.type(r'put "\x00a \xff" "line\nline\x00" # a comment' + ENTER)
        shell.expect(b"\r\n")
        shell.type("kvcli scan" + ENTER)  # as in an example that was pasted
        shell.expect(rb"\x00a \xff" + b"\t" + rb"line\nline\x00")
        self.assertEqual(self.done("get", "-e", r"\x00a \xff"), b"line\nline\0")
        shell.type("get 'open" + ENTER)
        shell.expect(b"kvcli: a quote that does not end\r\n")
        shell.type(r'namespace drop "a\x00b"' + ENTER)
        shell.expect(b"takes no arguments with NUL bytes")

    def test_help_tells_of_a_command_and_of_the_shell(self):
        shell = self.open_shell()
        shell.type("help put" + ENTER)
        shell.expect(b"usage: kvcli put KEY")
        shell.type("help" + ENTER)
        shell.expect(b"here also: use [NAMESPACE], begin [--read-only], commit, rollback, exit")
        shell.type("nonsense" + ENTER)
        shell.expect(b"no command 'nonsense'")

    def test_options_given_once_are_for_every_line(self):
        shell = self.open_shell("--json", "--namespace", "space")
        shell.type("put key v" + ENTER)
        shell.expect(b'{"version":')
        self.assertEqual(self.done("-n", "space", "get", "key"), b"v")
        self.done("-n", "space", "del", "key")

    def test_the_prompt_names_server_and_namespace(self):
        shell = self.open_shell()
        shell.type("use space" + ENTER)
        shell.expect((self.server.address + "/space> ").encode())
        shell.type("put key inside" + ENTER)
        shell.expect(b"> ")
        shell.type("use" + ENTER)
        shell.expect((self.server.address + "> ").encode())
        shell.type("get key" + ENTER)
        shell.expect(b"no such key")
        self.assertEqual(self.done("-n", "space", "get", "key"), b"inside")
        self.done("-n", "space", "del", "key")

    def test_a_transaction_is_one_commit_of_several_lines(self):
        self.done("put", "n", "40")
        shell = self.open_shell()
        shell.type("commit" + ENTER)
        shell.expect(b"no transaction is open; 'begin' opens one\r\n")
        shell.type("begin now" + ENTER)
        shell.expect(b"usage: begin [--read-only]; commit; rollback\r\n")
        shell.type("begin" + ENTER)
        shell.expect(b"reads version ")
        shell.expect(b" (transaction)> ")
        shell.type("add n 2" + ENTER)
        shell.expect(b"\r\n42\r\n")
        self.run_line(shell, "put m new")
        shell.type("scan" + ENTER)
        shell.expect(b"m\tnew\r\nn\t42\r\n")
        self.assertEqual(self.done("scan"), b"n\t40\n")
        self.run_line(shell, "commit")
        self.assertEqual(self.done("scan"), b"m\tnew\nn\t42\n")
        self.run_line(shell, "begin")
        self.run_line(shell, "del m n")
        self.run_line(shell, "rollback")
        self.assertEqual(self.done("scan"), b"m\tnew\nn\t42\n")

    def test_a_conflict_is_told_with_its_key_and_version(self):
        shell = self.open_shell()
        self.run_line(shell, "begin")
        shell.type("get n" + ENTER)
        shell.expect(b"no such key\r\n")
        self.done("put", "n", "1")
        self.run_line(shell, "put n 2")
        shell.type("commit" + ENTER)
        shell.expect(b"changed by another")
        shell.expect(b'"n" changed with version ')
        self.prompt(shell)
        self.assertEqual(self.done("get", "n"), b"1")

    # --- editing

    def test_tab_completes_commands_options_and_keys(self):
        self.done("put", "user/1 one", "first")
        shell = self.open_shell()
        shell.type("ge" + TAB + "us" + TAB + ENTER)
        shell.expect(b"first\r\n")
        shell.type("scan --ke" + TAB + ENTER)
        shell.expect(b"\r\nuser/1 one\r\n")

    def test_tab_lists_what_there_is_to_choose_from(self):
        self.done("put", "a1", "1")
        self.done("put", "a2", "2")
        shell = self.open_shell()
        shell.type("get a" + TAB)
        shell.expect(r"\r\na1 +a2 *\r\n.*get a")
        shell.type("2" + ENTER)
        shell.expect(b"\r\n2\r\n")

    def test_a_hint_tells_what_may_follow(self):
        shell = self.open_shell()
        shell.type("put ")
        shell.expect(b"KEY [VALUE | -]")
        shell.type("key ")
        shell.expect(b"[VALUE | -]")
        self.assertIn(b"\x1b[2m", shell.seen)

    def test_no_color_is_honoured(self):
        for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            shell = self.open_shell(**env)
            shell.type("put key v" + ENTER)
            self.prompt(shell)
            shell.type(CTRL_D)
            shell.finish()
            self.assertNotRegex(shell.seen, rb"\x1b\[[0-9;]*m")

    def test_what_is_pasted_runs_when_the_user_ends_the_line(self):
        shell = self.open_shell()
        shell.type(pasted("put a 1\nput b 'two\nlines'\r# don't\nput c 3"))
        shell.expect(b"put c 3")
        time.sleep(0.2)
        self.assertEqual(self.done("count"), b"0\n")
        shell.type(ENTER + "count" + ENTER)
        shell.expect(b"\r\n3\r\n")
        self.assertEqual(self.done("get", "b"), b"two\nlines")

    def test_text_that_is_not_ascii_is_kept(self):
        shell = self.open_shell()
        shell.type("put schlüssel '€ 😀'" + ENTER + "get schl" + TAB + ENTER)
        shell.expect("\r\n€ 😀\r\n".encode())

    def test_lines_are_remembered_for_their_user_alone(self):
        shell = self.open_shell()
        self.run_line(shell, "put key 'remembered'")
        self.run_line(shell, " put secret 1")
        shell.type("exit" + ENTER)
        shell.finish()
        path = os.path.join(self.scratch, ".kvcli_history")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(self.read(path), b"put key 'remembered'\nexit\n")
        shell = self.open_shell()
        shell.type(UP + UP + ENTER)
        shell.expect(b"put key 'remembered'")

    def test_the_history_is_where_xdg_says_and_does_not_grow_for_ever(self):
        path = self.write("state/kvcli_history", b"get old\n" * 2500)
        shell = self.open_shell(XDG_STATE_HOME=os.path.dirname(path))
        self.run_line(shell, r"put key '\'")
        self.assertEqual(self.read(path), b"get old\n" * 1000 + b"put key '\\\\'\n")
        self.assertFalse(os.path.exists(os.path.join(self.scratch, ".kvcli_history")))

    # --- tables, which people see on a terminal

    def on_terminal(self, *words):
        env = dict(os.environ, KVD_SERVER=self.server.address, TERM="xterm", NO_COLOR="1", TZ="UTC")
        terminal = Terminal([KVCLI, *words], env, columns=150)
        self.addCleanup(terminal.close)
        self.assertEqual(terminal.finish(), 0)
        return terminal.seen.decode().splitlines()

    def test_what_the_server_observes_is_shown_in_tables(self):
        key = "\\xffhot"
        self.done("put", "-e", key, "-", given=b"value")
        self.done("mget", "-e", *[key] * 1000)
        slow = r"\A[0-9]{4}-.* PUT +[0-9.]+ m?s .* unix kvcli +\\xffhot\Z"
        lines = self.on_terminal("slowlog")
        while not any(re.match(slow, line) for line in lines):
            self.done("put", "-e", key, "-", given=bytes(8 << 20))
            lines = self.on_terminal("slowlog")
        self.assertRegex(lines[0], r"\Atime +command +total +wait +queue +work +commit +held +client +key\Z")
        lines = self.on_terminal("clients")
        self.assertRegex(lines[0], r"\A *id +peer +name +age +idle +requests +in flight +in +out +queued\Z")
        self.assertRegex(lines[-1], r"\A *[0-9]+ +unix +kvcli +")
        lines = self.on_terminal("hotkeys", "2")
        self.assertRegex(lines[0], r"\Aper second +reads +writes +namespace +key\Z")
        self.assertRegex(lines[1], r"\A *[0-9]+(\.[0-9])? +100% +0% +\(default\) +\\xffhot\Z")
        lines = self.on_terminal("why", "slow")
        self.assertRegex(lines[0], r"\A[0-9]+ requests in the last one to two minutes took ")
        self.assertTrue(any(line.startswith("  put: ") for line in lines), lines)

    def test_lists_are_tables(self):
        self.done("namespace", "set", "lögs", "--quota", "1536KiB", "--keep", "90m")
        self.done("-n", "lögs", "put", "key", "12345")
        self.done("-n", "lögs", "del", "key")
        heads, default, logs = self.on_terminal("namespace", "list")
        self.assertEqual(heads.split(),
                         ["namespace", "keys", "bytes", "pinned", "quota", "keeps", "versions"])
        self.assertEqual(default.split()[0], "(default)")
        self.assertRegex(logs, r"\Alögs .* 1\.5 MiB +1\.5 h +1\Z")
        self.assertEqual((len(heads), len(default)), (len(logs), len(logs)))
        heads, deleted, put = self.on_terminal("-n", "lögs", "history", "key")
        self.assertRegex(deleted, r"\A *\d+  20\d\d-\d\d-\d\d \d\d:\d\d:\d\d +deleted  -\Z")
        self.assertRegex(put, r" 5 B  -\Z")
        self.done("namespace", "drop", "lögs")

    def test_snapshots_statistics_and_space_are_tables(self):
        snapshot = self.done("snapshot", "open").decode().strip()
        heads, row = self.on_terminal("snapshot", "list")
        self.assertEqual(heads.split(), ["snapshot", "version", "opened", "until", "owner"])
        self.assertEqual(row.split()[0], snapshot)
        self.done("snapshot", "close", snapshot)
        heads, *rows = self.on_terminal("stats", "server")
        self.assertEqual({len(row) for row in rows}, {len(heads)})
        self.assertRegex(self.on_terminal("why", "space")[-1], r"\A *[0-9.]+ [KM]?i?B  in all\Z")

    # --- interruptions

    def test_ctrl_c_drops_the_line_and_ends_a_command_but_not_the_shell(self):
        shell = self.open_shell()
        shell.type("put key typed" + CTRL_C)
        shell.expect(b"^C\r\n")
        shell.type("batch" + ENTER)
        shell.expect(b"\r\n")
        shell.await_lines()
        time.sleep(0.3)
        shell.type("put key half" + CTRL_C)
        shell.expect(b"kvcli: interrupted\r\n")
        shell.type("exists key" + ENTER + "ping" + ENTER)
        shell.expect(b"answered in")
        self.refused(1, "get", "key")

    def test_a_command_reads_what_is_typed(self):
        shell = self.open_shell()
        shell.type("put key -" + ENTER)
        shell.expect(b"\r\n")
        shell.await_lines()
        shell.type("from the terminal" + ENTER + CTRL_D)
        shell.expect(b"> ")
        self.assertEqual(self.done("get", "key"), b"from the terminal\n")

    def test_it_tells_of_a_server_that_goes_and_comes_back(self):
        shell = self.open_shell()
        self.run_line(shell, "put key value")
        self.server.kill()
        shell.type("get key" + ENTER)
        shell.expect(b"is kvd running there?")
        shell.expect(b"(not connected)> ")
        self.server.start()
        shell.type("get key" + ENTER)
        shell.expect(b"was restarted; connected again\r\nvalue\r\n")
        self.server.kill()
        self.server.start()
        shell.type("get key" + ENTER)
        shell.expect(b"was restarted; connected again\r\nvalue\r\n")
        shell.type("get key" + ENTER)
        self.assertNotIn(b"restarted", shell.expect(b"value\r\n"))

    def test_it_starts_without_a_server(self):
        shell = self.open_shell(KVD_SERVER="unix:" + os.path.join(self.scratch, "none"))
        self.assertIn(b"is kvd running there?", shell.seen)
        self.assertIn(b"(not connected)>", shell.seen)
        shell.type("help get" + ENTER)
        shell.expect(b"usage: kvcli get KEY")

    def test_without_a_terminal_a_command_is_needed(self):
        self.assertIn("no command given", self.refused(2))


if __name__ == "__main__":
    unittest.main()
