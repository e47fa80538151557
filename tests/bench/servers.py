# servers.py: the servers of a benchmark, started on free ports of loopback and ended by their pid.
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

DEADLINE_S = 60


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


class Folder:
    """Of all data of a run: on the disk of the build folder, since /tmp may be memory."""

    def __init__(self, build):
        self.path = tempfile.mkdtemp(prefix="bench-", dir=os.path.abspath(build))

    def __enter__(self):
        return self.path

    def __exit__(self, *failure):
        shutil.rmtree(self.path, True)


class Server:
    """Its name, protocol, address and process."""

    def __init__(self, name, protocol, command, address, folder):
        self.name, self.protocol, self.address = name, protocol, address
        self.log_path = os.path.join(folder, name + ".log")
        with open(self.log_path, "a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        self.pid = self.process.pid

    def wait_until(self, is_ready):
        end = time.monotonic() + DEADLINE_S
        while not is_ready():
            if self.process.poll() is not None or time.monotonic() > end:
                with open(self.log_path) as log:
                    raise RuntimeError("%s did not start: %s" % (self.name, log.read()))
            time.sleep(0.005)

    def read_address(self, ready):
        """Of the file that the server writes when it is ready."""
        self.wait_until(lambda: os.path.exists(ready) and os.path.getsize(ready) > 0)
        with open(ready) as file:
            self.address = file.read().split()[0]

    def settle(self):
        """Until nothing is left to do of what was asked; seconds that it took."""
        return 0

    def answers(self):
        host, port = self.address.rsplit(":", 1)
        try:
            socket.create_connection((host, int(port)), 1).close()
            return True
        except OSError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def memory_kib(self):
        """(VmRSS, VmHWM)"""
        with open("/proc/%d/status" % self.pid) as file:
            lines = dict(re.findall(r"^(Vm\w+):\s+(\d+) kB", file.read(), re.M))
        return int(lines["VmRSS"]), int(lines["VmHWM"])

    def io(self):
        """Counters of /proc/PID/io."""
        with open("/proc/%d/io" % self.pid) as file:
            return {name: int(value) for name, value in re.findall(r"(\w+): (\d+)", file.read())}


class Kvd(Server):
    def __init__(self, build, folder, *options):
        self.kvcli = os.path.join(build, "kvcli")
        self.dir = os.path.join(folder, "kvd")
        ready = os.path.join(folder, "kvd.ready")
        if os.path.exists(ready):
            os.unlink(ready)
        started = time.monotonic()
        super().__init__("kvd", "kvd", [os.path.join(build, "kvd"), "--dir", self.dir, "--listen",
                                        "127.0.0.1:0", "--ready-file", ready, *options], "", folder)
        self.read_address(ready)
        self.ready_s = time.monotonic() - started

    def stats(self):
        run = subprocess.run([self.kvcli, "--server", self.address, "stats"], check=True, text=True,
                             stdout=subprocess.PIPE)
        return {words[0]: int(words[-1]) for words in map(str.split, run.stdout.splitlines())
                if len(words) > 1 and words[-1].isdigit()}

    def settle(self):
        """Until flush and compaction have nothing to do; seconds that it took."""
        started, before, quiet = time.monotonic(), None, 0
        while quiet < 3 and time.monotonic() < started + 300:
            stats = self.stats()
            now = [stats[name] for name in ("storage.memtables_frozen", "storage.flushes",
                                            "storage.compactions")] + [self.process_ticks()]
            idle = before is not None and now[:3] == before[:3] and now[0] == 0 and \
                now[3] - before[3] < 3
            quiet = quiet + 1 if idle else 0
            before = now
            time.sleep(0.1)
        return max(0, time.monotonic() - started - 0.4)

    def process_ticks(self):
        with open("/proc/%d/stat" % self.pid) as file:
            fields = file.read().rsplit(") ", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def disk_bytes(self):
        return sum(entry.stat().st_blocks * 512 for entry in os.scandir(self.dir))


class Redis(Server):
    def __init__(self, name, folder, *options):
        port = free_port()
        own = os.path.join(folder, name)
        os.mkdir(own)
        super().__init__(name, "redis", ["redis-server", "--bind", "127.0.0.1", "--port", str(port),
                                         "--dir", own, "--save", "", *options],
                         "127.0.0.1:%d" % port, folder)
        self.wait_until(self.answers)

    def settle(self):
        """Until an AOF that is being rewritten is done."""
        started = time.monotonic()
        while True:
            with socket.create_connection(self.address.rsplit(":", 1), 5) as connection:
                connection.sendall(b"INFO persistence\r\n")
                if b"aof_rewrite_in_progress:1" not in connection.recv(65536):
                    return time.monotonic() - started
            time.sleep(0.1)


class Echo(Server):
    """Sends back what it gets: what sockets and loop alone cost. See echo.c."""

    def __init__(self, build, folder):
        ready = os.path.join(folder, "echo.ready")
        super().__init__("echo", "echo", [os.path.join(build, "tests/bench/echo"), ready], "", folder)
        self.read_address(ready)


def bench(kvcli, server, *options):
    """What `kvcli bench` measured, as its JSON says."""
    run = subprocess.run([kvcli, "--json", "--server", server.address, "bench", "--protocol",
                          server.protocol, "--server-pid", str(server.pid), *map(str, options)],
                         text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if run.returncode != 0:
        raise RuntimeError("%s: %s" % (server.name, run.stderr.strip()))
    return json.loads(run.stdout)
