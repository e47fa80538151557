# terminal.py: a program on a pseudo-terminal, typed to and read from as by a person.
import os
import pty
import re
import select
import signal
import struct
import fcntl
import termios
import time
import unittest

WAIT_SECONDS = 30
ESCAPES = re.compile(rb"\x1b(\[[0-9;?]*[A-Za-z]|[78=>]|\[[0-9;?]*$|$)")


class Terminal:
    """Runs `words` on a terminal of its own. What it has written is in `seen`, all of it."""

    def __init__(self, words, env, columns=100):
        self.seen = b""
        self.mark = 0  # in it without escape sequences: `expect` looks behind it
        self.code = None
        try:
            self.pid, self.fd = pty.fork()
        except OSError as error:  # a bare chroot may have none
            raise unittest.SkipTest("no pseudo-terminal: %s" % error)
        if self.pid == 0:
            os.execvpe(words[0], words, env)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))

    def type(self, text):
        os.write(self.fd, text if isinstance(text, bytes) else text.encode())

    def read_some(self, seconds):
        if not select.select([self.fd], [], [], max(seconds, 0))[0]:
            return False
        try:
            taken = os.read(self.fd, 65536)
        except OSError:  # the other end is closed
            taken = b""
        self.seen += taken
        return bool(taken)

    def plain(self):
        """What is behind the mark, without escape sequences."""
        return ESCAPES.sub(b"", self.seen)[self.mark:]

    def expect(self, text):
        """Waits until `text` (bytes: as it is; str: a pattern) appears; the mark goes
        behind it. What came until then."""
        pattern = re.compile(re.escape(text) if isinstance(text, bytes) else text.encode(), re.S)
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            found = pattern.search(self.plain())
            if found:
                self.mark += found.end()
                return found.string[:found.end()]
            if time.monotonic() > deadline or not self.read_some(deadline - time.monotonic()):
                raise AssertionError("%r did not appear in %r" % (text, self.plain()))

    def await_editing(self):
        """Waits until the program takes each key as it is typed. Control keys typed before would
        mean something else, or be lost."""
        deadline = time.monotonic() + WAIT_SECONDS
        while termios.tcgetattr(self.fd)[3] & termios.ICANON:
            if time.monotonic() > deadline:
                raise AssertionError("it does not edit: %r" % self.plain())
            time.sleep(0.005)

    def await_lines(self):
        """Waits until the terminal gathers lines by itself, as for a command that reads them."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not termios.tcgetattr(self.fd)[3] & termios.ICANON:
            if time.monotonic() > deadline:
                raise AssertionError("it still edits: %r" % self.plain())
            time.sleep(0.005)

    def finish(self):
        """Waits for the program to end; its exit code."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self.read_some(deadline - time.monotonic()):
            pass
        while self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline:
                raise AssertionError("it did not end: %r" % self.plain())
            else:
                time.sleep(0.01)
        return self.code

    def close(self):
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.code = -signal.SIGKILL
        os.close(self.fd)
