# kvcli_top_test.py: `kvcli top` on a terminal, in a pipe, and as JSON.
import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import termios
import time
import unittest

from kvcli_case import KVCLI, KvcliCase
from terminal import ESCAPES, Terminal

ENTER, LEAVE, HOME = b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l", b"\x1b[H"
FAST = ("--interval", "200ms")


class KvcliTopTest(KvcliCase):
    # --- in a pipe

    def start(self, *words):
        env = dict(os.environ, KVD_SERVER=self.server.address)
        process = subprocess.Popen([KVCLI, "top", *words], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=env)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_a_page_in_a_pipe_is_plain_text(self):
        for _ in range(10):  # it is woken late where the machine is busy with other things
            text = self.done("top", "--once", *FAST).decode()
            if "over 0.2 s" in text:
                break
        self.assertNotIn("\x1b", text)
        for line in (r"kvd at unix:\S+, up 0 min \d+ s, \d+ connections, [\d:]{8}, over 0\.2 s",
                     r"requests   [\d.]+/s, refused 0/s, failed 0/s, in .*/s, out .*/s",
                     r"memory     [\d.]+ [KM]iB of 1\.0 GiB, clients .* of 256 MiB",
                     r"segments   \d+, .*, live .*, dead .*", r"gc         0 segments/s, .*",
                     r"waiting    puts held back 0/s, 0 ms each second",
                     r"LEVEL +tables +bytes", r"memory +1 +[\d.]+ .*B", r"COMMAND +per s.*",
                     r"stats +[\d.]+.*"):
            self.assertRegex(text, re.compile("^" + line + "$", re.M))

    def test_pages_follow_one_another_until_nobody_reads(self):
        top = self.start(*FAST)
        seen = b""
        while seen.count(b"kvd at ") < 3:
            seen += os.read(top.stdout.fileno(), 65536)
        top.stdout.close()
        self.assertNotEqual(top.wait(timeout=10), 0)

    def test_the_rates_are_those_of_what_clients_do(self):
        bench = subprocess.Popen([KVCLI, "-s", self.server.address, "bench", "--rate", "500", "-S",
                                  "1h", "-r", "0", "-v", "2000", "-c", "5", "-d", "memory"],
                                 stdout=subprocess.DEVNULL)
        self.addCleanup(bench.wait)
        self.addCleanup(bench.kill)
        while int(self.json("stats", "server.requests_put")["server.requests_put"]) < 100:
            self.assertIsNone(bench.poll())
        for _ in range(10):  # a client that was late makes up for it: its rate is another for a while
            entry = self.json("top", "--once", "--interval", "1500ms")
            if abs(entry["commands"]["put"]["per_second"] - 500) < 100:
                break
        self.assertAlmostEqual(entry["commands"]["put"]["per_second"], 500, delta=150)
        self.assertAlmostEqual(entry["commits_per_second"], 500, delta=150)
        self.assertAlmostEqual(entry["bytes_in_per_second"], 500 * 2050, delta=300000)
        self.assertGreaterEqual(entry["connections"], 6)
        self.assertGreater(entry["requests_per_second"], 350)
        self.assertEqual(next(iter(entry["commands"])), "put")

    def test_json_is_an_object_for_each_interval(self):
        top = self.start("--json", *FAST)
        entries = [json.loads(top.stdout.readline()) for _ in range(3)]
        for entry in entries:
            self.assertEqual(len(entry["levels"]), 7)
        for _ in range(20):  # one may be late
            if min(entry["seconds"] for entry in entries) < 0.35:
                break
            entries.append(json.loads(top.stdout.readline()))
        self.assertAlmostEqual(min(entry["seconds"] for entry in entries), 0.2, delta=0.15)
        self.assertLess(entries[0]["time_ms"], entries[2]["time_ms"])

    def test_what_makes_no_sense_is_refused(self):
        self.refused(2, "top", "--interval", "1ms")
        self.refused(2, "top", "--interval", "2h")
        self.refused(2, "top", "extra")
        self.refused(3, "top", "--once", server="unix:/nowhere/at/all")

    # --- on a terminal

    def terminal(self, columns=100, **env):
        env = dict(os.environ, TERM="xterm", KVD_SERVER=self.server.address, **env)
        for name in [name for name in ("NO_COLOR",) if name not in env]:
            env.pop(name, None)
        terminal = Terminal([KVCLI, "top", *FAST], env, columns)
        self.addCleanup(terminal.close)
        terminal.expect(rb"kvd at unix:")
        terminal.expect(rb"disk free")
        return terminal

    def ended(self, terminal):
        """It ends well, and the terminal is as it was before."""
        self.assertEqual(terminal.finish(), 0)
        self.assertEqual(terminal.seen.count(ENTER), terminal.seen.count(LEAVE))
        self.assertTrue(terminal.seen.rstrip().endswith(LEAVE), terminal.seen[-80:])
        self.assertTrue(termios.tcgetattr(terminal.fd)[3] & termios.ICANON)
        self.assertTrue(termios.tcgetattr(terminal.fd)[3] & termios.ECHO)

    def frame(self, terminal):
        """The next whole page, as lines without escape sequences."""
        begun = len(terminal.seen)
        deadline = time.monotonic() + 10
        while terminal.seen[begun:].count(HOME) < 2:
            self.assertLess(time.monotonic(), deadline)
            terminal.read_some(1)
        return [ESCAPES.sub(b"", line).rstrip(b"\r") for line in
                terminal.seen[begun:].split(HOME)[1].split(b"\n")]

    def test_q_ends_it_and_the_screen_is_as_before(self):
        terminal = self.terminal()
        terminal.type("x")
        self.assertTrue(self.frame(terminal)[0].startswith(b"kvd at "))
        terminal.type("q")
        self.ended(terminal)

    def test_signals_end_it_and_the_screen_is_as_before(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            terminal = self.terminal()
            os.kill(terminal.pid, number)
            self.ended(terminal)

    def test_ctrl_c_ends_it_too(self):
        terminal = self.terminal()
        terminal.type("\x03")
        self.ended(terminal)

    def test_the_page_is_cut_to_the_terminal_and_follows_its_size(self):
        terminal = self.terminal()
        wide = self.frame(terminal)
        self.assertLessEqual(len(wide), 30)
        self.assertGreater(max(map(len, wide)), 60)
        fcntl.ioctl(terminal.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 40, 0, 0))
        self.frame(terminal)
        small = self.frame(terminal)
        self.assertEqual(len(small), 12)
        self.assertEqual(max(map(len, small)), 40)
        terminal.type("q")
        self.ended(terminal)

    def test_heads_are_bold_but_not_with_no_color(self):
        terminal = self.terminal()
        self.assertIn(b"\x1b[1mkvd at", terminal.seen)
        terminal.type("q")
        self.ended(terminal)
        terminal = self.terminal(NO_COLOR="1")
        self.assertNotIn(b"\x1b[1m", terminal.seen)
        terminal.type("q")
        self.ended(terminal)

    def test_it_waits_for_a_server_that_went_away(self):
        terminal = self.terminal()
        self.server.kill()
        terminal.expect(rb"no answer, trying again: ")
        self.server.start()
        deadline = time.monotonic() + 20
        while b"no answer" in b"".join(self.frame(terminal)):
            self.assertLess(time.monotonic(), deadline)
        terminal.type("q")
        self.ended(terminal)

    def test_a_stop_gives_the_terminal_back_and_going_on_takes_it_again(self):
        terminal = self.terminal()
        os.kill(terminal.pid, signal.SIGTSTP)
        os.waitid(os.P_PID, terminal.pid, os.WSTOPPED | os.WNOWAIT)
        while terminal.read_some(0.2):
            pass
        self.assertTrue(terminal.seen.endswith(LEAVE))
        self.assertTrue(termios.tcgetattr(terminal.fd)[3] & termios.ICANON)
        os.kill(terminal.pid, signal.SIGCONT)
        self.assertTrue(self.frame(terminal)[0].startswith(b"kvd at "))
        terminal.type("q")
        self.ended(terminal)


if __name__ == "__main__":
    unittest.main()
