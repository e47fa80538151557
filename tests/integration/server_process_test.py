#!/usr/bin/env python3
# server_process_test.py: kvd as a process: how it starts, refuses to start, reloads and stops.
import os
import random
import signal
import socket
import stat
import struct
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from kvd_server import *  # noqa: E402,F403

NOBODY = 65534


class ProcessTest(unittest.TestCase):
    def folder(self):
        folder = tempfile.mkdtemp(prefix="kvd-server-")
        self.addCleanup(shutil.rmtree, folder, True)
        return folder

    def assert_refuses(self, server, *words, code=1):
        self.assertEqual(server.wait(), code, server.output())
        for word in words:
            self.assertIn(word, server.output())
        self.assertFalse(os.path.exists(server.ready))


class StartTest(ProcessTest):
    def test_ready_file_has_each_address_on_a_line(self):
        path = "unix:" + os.path.join(self.folder(), "socket")
        server = start(self, listen=("127.0.0.1:0", "[::1]:0", path))
        self.assertEqual(len(server.addresses), 3)
        for address in server.addresses:
            client = Client(address)
            self.assertEqual(client.ask(frame(PING)).status, OK, address)
            client.close()
        self.assertEqual(server.stop(), 0)

    def test_files_are_for_the_owner_alone(self):
        path = os.path.join(self.folder(), "socket")
        server = start(self, listen=("unix:" + path,))
        for name in (server.dir, path, server.ready):
            self.assertEqual(stat.S_IMODE(os.stat(name).st_mode) & 0o077, 0, name)

    def test_port_in_use_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            self.assert_refuses(Server(self, listen=(address,)), address, "in use")

    def test_second_kvd_on_the_directory_is_refused(self):
        first = start(self)
        command = [KVD, "--dir", first.dir, "--listen", "127.0.0.1:0"]
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=DEADLINE_S)
        self.assertEqual(run.returncode, 1)
        self.assertIn(str(first.process.pid).encode(), run.stdout)
        client = first.client()
        self.assertEqual(client.ask(put(b"k", b"v")).status, OK)
        client.close()

    def test_directory_that_cannot_be_used_is_named(self):
        folder = self.folder()
        with open(os.path.join(folder, "data"), "w"):
            pass  # a file is in its place
        self.assert_refuses(Server(self, folder=folder), os.path.join(folder, "data"))

    @unittest.skipUnless(os.getuid() == 0, "root changes user for this")
    def test_unreadable_directory_is_named(self):
        folder = self.folder()
        os.chmod(folder, 0o777)
        data = os.path.join(folder, "data")
        os.mkdir(data, 0o700)  # root's
        self.assert_refuses(Server(self, folder=folder, user=NOBODY), data)

    def test_wrong_configuration_is_refused(self):
        self.assert_refuses(Server(self, "--set", "server.loop=3"), "server.loops", code=2)
        self.assert_refuses(Server(self, listen=("0.0.0.0:0",)), "authentication", code=2)

    def test_version_help_and_check_need_no_directory(self):
        for option in ("--version", "--help", "--check-config"):
            run = subprocess.run([KVD, option], stdout=subprocess.PIPE, cwd=self.folder(), timeout=DEADLINE_S)
            self.assertEqual((run.returncode, bool(run.stdout)), (0, True), option)

    def test_descriptors_are_raised_and_connections_follow(self):
        server = start(self, preexec_fn=lambda: resource_limit(300))
        self.assertIn("connections", server.output())
        client = server.client()
        self.assertEqual(client.ask(frame(PING)).status, OK)
        client.close()


def resource_limit(count):
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, count))


class UnixSocketTest(ProcessTest):
    def test_socket_of_a_dead_server_is_replaced(self):
        path = os.path.join(self.folder(), "socket")
        dead = socket.socket(socket.AF_UNIX)
        dead.bind(path)
        dead.close()
        server = start(self, listen=("unix:" + path,))
        client = server.client()
        self.assertEqual(client.ask(frame(PING)).status, OK)
        client.close()

    def test_socket_of_a_living_server_is_refused(self):
        path = os.path.join(self.folder(), "socket")
        first = start(self, listen=("unix:" + path,))
        self.assert_refuses(Server(self, listen=("unix:" + path,)), "another server")
        client = first.client()
        self.assertEqual(client.ask(frame(PING)).status, OK)
        client.close()

    def test_file_that_is_no_socket_is_left_alone(self):
        path = os.path.join(self.folder(), "precious")
        with open(path, "w") as file:
            file.write("data")
        self.assert_refuses(Server(self, listen=("unix:" + path,)), "not a socket")
        self.assertEqual(open_text(path), "data")

    def test_socket_is_gone_after_a_stop(self):
        path = os.path.join(self.folder(), "socket")
        self.assertEqual(start(self, listen=("unix:" + path,)).stop(), 0)
        self.assertFalse(os.path.exists(path))


def open_text(path):
    with open(path) as file:
        return file.read()


class StopTest(ProcessTest):
    def test_each_signal_stops_with_exit_code_0(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            server = start(self)
            client = server.client()  # idle: it must not hold the stop up
            began = time.monotonic()
            server.signal(number)
            self.assertEqual(server.wait(), 0, server.output())
            self.assertLess(time.monotonic() - began, 8)  # server.stop_timeout is 10 s
            self.assertTrue(client.is_closed())
            client.close()

    def test_what_was_acknowledged_is_there_after_a_stop_under_load(self):
        server = start(self)
        client = server.client()
        acknowledged = []

        def receive():
            try:
                while True:
                    reply = client.reply()
                    self.assertEqual(reply.status, OK)
                    acknowledged.append(reply.id)
            except (EOFError, ConnectionError):
                pass

        data = b"".join(put(b"k%d" % i, b"%d" % i, i, MEMORY) for i in range(200000))
        receiver = threading.Thread(target=receive)
        receiver.start()
        sender = threading.Thread(target=client.try_send, args=(data,))
        sender.start()
        while not acknowledged:
            time.sleep(0.01)
        self.assertEqual(server.stop(), 0, server.output())
        sender.join()
        receiver.join()
        client.close()
        self.assertGreater(len(acknowledged), 0)
        self.assertEqual(acknowledged, list(range(len(acknowledged))))
        self.assert_has(server.folder, acknowledged)

    def assert_has(self, folder, numbers):
        server = start(self, folder=folder)
        client = server.client()
        for i in numbers[::max(1, len(numbers) // 1000)] + numbers[-1:]:
            self.assertEqual(client.ask(get(b"k%d" % i)).value, b"%d" % i)
        client.close()

    def test_client_that_does_not_read_holds_the_stop_up_only_so_long(self):
        server = start(self, "--set", "server.stop_timeout=500ms")
        client = server.client()
        client.ask(put(b"large", bytes(16 << 20)))
        client.send(b"".join(get(b"large", i) for i in range(10)))
        client.wait_for(1)
        began = time.monotonic()
        self.assertEqual(server.stop(), 0, server.output())
        self.assertTrue(0.4 < time.monotonic() - began < 8)
        client.close()

    def test_second_signal_does_not_wait(self):
        server = start(self, "--set", "server.stop_timeout=1h")
        client = server.client()
        client.ask(put(b"large", bytes(16 << 20)))
        client.send(b"".join(get(b"large", i) for i in range(10)))
        client.wait_for(1)
        server.signal(signal.SIGTERM)
        end = time.monotonic() + DEADLINE_S
        while "stopping" not in server.output():  # or else the two signals would be one
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)
        time.sleep(0.5)
        self.assertIsNone(server.process.poll())
        self.assertEqual(server.stop(), 0, server.output())
        client.close()

    def test_stop_waits_for_the_answers_of_a_client_that_reads(self):
        server = start(self)
        client = server.client()
        client.ask(put(b"large", bytes(16 << 20)))
        client.send(get(b"large"))
        client.wait_for(1)
        server.signal(signal.SIGTERM)
        time.sleep(0.2)
        self.assertEqual(len(client.reply().value), 16 << 20)
        self.assertEqual(server.wait(), 0)
        client.close()

    def test_stop_does_not_wait_for_what_was_asked_for_by_hand(self):
        draw = random.Random(1)
        server = start(self)
        client = server.client()
        for _ in range(120):  # about 100 MiB, in tables that overlap
            client.send(b"".join(put(draw.randbytes(8), draw.randbytes(900), durability=MEMORY)
                                 for _ in range(1000)))
            self.assertTrue(all(reply.status == OK for reply in client.replies(1000)))
        for action in (COMPACT, VERIFY, COLLECT):
            with self.subTest(action=action):
                client.send(frame(MAINTAIN, bytes([action])))
                time.sleep(0.05)
                began = time.monotonic()
                server.signal(signal.SIGTERM)
                status = client.reply().status
                self.assertIn(status, (CANCELLED,) if action == COMPACT else (OK, CANCELLED))
                self.assertEqual(server.wait(), 0, server.output())
                self.assertLess(time.monotonic() - began, 8)
                client.close()
                server = start(self, folder=server.folder)
                client = server.client()
        self.assertIn(b"faults" + b"\1" + b"0", client.ask(frame(MAINTAIN, bytes([VERIFY]))).body)
        client.close()


class ReloadTest(ProcessTest):
    def config(self, text):
        folder = self.folder()
        path = os.path.join(folder, "kvd.toml")
        self.write(path, text)
        return path

    def write(self, path, text):
        with open(path, "w") as file:
            file.write(text)

    def wait_for(self, condition):
        end = time.monotonic() + DEADLINE_S
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)

    def test_log_file_is_opened_again(self):
        path = self.config("")
        log = path + ".log"
        server = start(self, "--config", path, "--set", 'log.file="%s"' % log)
        os.rename(log, log + ".1")
        server.signal(signal.SIGHUP)
        self.wait_for(lambda: os.path.exists(log) and open_text(log))
        self.assertIn("listening", open_text(log + ".1"))
        self.assertEqual(server.stop(), 0)
        self.assertIn("stopped", open_text(log))

    def test_idle_timeout_changes_and_memory_limit_waits_for_a_restart(self):
        path = self.config("")
        server = start(self, "--config", path)
        idle = server.client()
        self.write(path, 'memory_limit = "128MiB"\n[server]\nidle_timeout = "300ms"\n')
        server.signal(signal.SIGHUP)
        self.assertTrue(idle.is_closed())
        idle.close()
        self.assertIn("memory_limit", server.output())
        self.assertIn("restart", server.output())

    def configure(self, client, action, name, value=""):
        """The entries of the answer, by name: (value, default, source, online); or (status, text)."""
        answer = client.ask(frame(CONFIG, bytes([action]) + block(name.encode()) + value.encode()))
        if answer.status != OK:
            return answer.status, answer.text
        reader = Reader(answer.body)
        return {reader.block().decode(): (*(reader.block().decode() for _ in range(3)), reader.number("B"))
                for _ in range(reader.number("I"))}

    def test_keys_tell_where_they_were_said(self):
        path = self.config("memory_limit = \"128MiB\"\n")
        server = start(self, "--config", path, "--set", "log.level=warn")
        client = server.client()
        keys = self.configure(client, 1, "")
        self.assertEqual(keys["memory_limit"], ('"128MiB"', '"1GiB"', path + ":1", 0))
        self.assertEqual(keys["log.level"], ('"warn"', '"info"', "--set", 1))
        self.assertEqual(keys["storage.dir"], ('"%s"' % server.dir, '"./data"', "--dir", 0))
        self.assertEqual(keys["storage.durability"], ('"synced"', '"synced"', "default", 1))
        self.assertEqual(set(self.configure(client, 1, "storage.r")),
                         {"storage.reclaim_rate", "storage.read_only"})
        self.assertEqual(self.configure(client, 1, "nonsense")[0], NOT_FOUND)
        client.close()

    def test_a_key_set_online_takes_effect_and_a_reload_takes_it_back(self):
        path = self.config("[server]\nidle_timeout = \"1h\"\n")
        server = start(self, "--config", path, "--set", "log.level=warn")
        idle, client = server.client(), server.client()
        self.assertEqual(self.configure(client, 2, "log.level", "info"),
                         {"log.level": ('"info"', '"info"', "set online", 1)})
        self.assertEqual(self.configure(client, 2, "server.idle_timeout", "300ms"),
                         {"server.idle_timeout": ('"300ms"', '"5m"', "set online", 1)})
        self.assertTrue(idle.is_closed())
        idle.close()
        client.close()
        self.assertRegex(server.output(), r"configuration changed key=server.idle_timeout value=\S*300ms.*set online")
        server.signal(signal.SIGHUP)
        self.wait_for(lambda: server.output().count("key=server.idle_timeout") == 2)
        client = server.client()
        self.assertEqual(self.configure(client, 1, "server.idle_timeout")["server.idle_timeout"][0], '"1h"')
        self.assertEqual(self.configure(client, 1, "log.level")["log.level"][2], "--set")
        client.close()

    def test_what_a_write_waits_for_can_be_changed(self):
        server = start(self)
        client = server.client()
        self.configure(client, 2, "storage.durability", "memory")
        syncs = client.stats()["storage.log_syncs"]
        for _ in range(5):
            client.ask(frame(PUT, struct.pack("<I", 0) + block(b"key") + b"value"))
        self.assertEqual(client.stats()["storage.log_syncs"], syncs)
        client.close()

    def test_limits_and_rates_follow_at_once(self):
        server = start(self)
        client = server.client()
        self.configure(client, 2, "server.connections_max", "1")
        refused = server.client(greet=False)
        self.assertEqual(refused.reply().status, BUSY)
        refused.close()
        self.configure(client, 2, "server.connections_max", "2")
        server.client().close()
        client.ask(put(b"key", b"value" * 1000, durability=SYNCED))
        client.ask(frame(MAINTAIN, bytes([FLUSH])))
        self.assertEqual(client.stats()["storage.scrub_bytes"], 0)
        self.configure(client, 2, "storage.scrub_rate", "1MiB")
        self.wait_for(lambda: client.stats()["storage.scrub_bytes"] > 0)
        client.close()

    def test_what_cannot_be_set_is_refused_with_its_reason(self):
        server = start(self)
        client = server.client()
        for name, value, reason in (("memory_limit", "2GiB", "needs a restart"),
                                    ("server.idle_timeout", "soon", "expected a duration"),
                                    ("server.idle_tmeout", "1s", "did you mean 'server.idle_timeout'"),
                                    ("log.file", "/nowhere/log", "/nowhere/log")):
            with self.subTest(name):
                before = self.configure(client, 1, "")
                status, text = self.configure(client, 2, name, value)
                self.assertNotEqual(status, OK)
                self.assertIn(reason, text)
                self.assertEqual(self.configure(client, 1, ""), before)
        client.close()

    def test_broken_file_changes_nothing(self):
        path = self.config("")
        server = start(self, "--config", path)
        self.write(path, "nonsense = 1\n")
        server.signal(signal.SIGHUP)
        self.wait_for(lambda: "nonsense" in server.output())
        client = server.client()
        self.assertEqual(client.ask(frame(PING)).status, OK)
        client.close()


if __name__ == "__main__":
    unittest.main()
