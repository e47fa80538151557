#!/usr/bin/env python3
# server_observe_test.py: what kvd tells of its own work: how long requests took, and which, and whose.
import os
import shutil
import signal
import struct
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from kvd_server import *  # noqa: E402,F403


class LatencyTest(unittest.TestCase):
    def setUp(self):
        self.server = start(self, "--set", "server.loops=2")
        self.client = self.server.client()
        self.addCleanup(self.client.close)

    def latency(self, command):
        start = "server.latency_%s_" % command
        return {name[len(start):]: value for name, value in self.client.stats().items()
                if name.startswith(start)}

    def test_every_request_is_in_the_histogram_of_its_command_once(self):
        other = self.server.client()  # on the other loop
        self.addCleanup(other.close)
        self.assertEqual(self.latency("get"), {})
        for client in (self.client, other):
            client.send(put(b"key", b"v", durability=SYNCED) + b"".join(get(b"key", i) for i in range(500)))
            self.assertEqual({reply.status for reply in client.replies(501)}, {OK})
        gets, puts = self.latency("get"), self.latency("put")
        self.assertEqual((gets["count"], puts["count"]), (1000, 2))
        for figures in (gets, puts):
            order = [figures[name] for name in ("p50_us", "p99_us", "p999_us", "max_us")]
            self.assertEqual(order, sorted(order))
        self.assertGreater(puts["max_us"], 0)
        self.assertGreater(DEADLINE_S * 1000000, gets["max_us"])

    def test_reads_that_wait_for_a_commit_have_waited_for_it(self):
        """A get behind a synced put of its connection takes longer than the put's commit."""
        self.client.send(put(b"key", b"v", durability=SYNCED) + get(b"key"))
        self.client.replies(2)
        self.assertGreaterEqual(self.latency("get")["max_us"] + 1, self.latency("put")["max_us"] * 15 // 16)

    def test_work_on_an_io_thread_is_counted_too(self):
        self.client.ask(put(b"key", b"v"))
        self.assertEqual(self.client.ask(frame(COUNT, span())).status, OK)
        self.assertEqual(self.latency("count")["count"], 1)
        self.assertEqual(self.client.ask(frame(UPLOAD_BEGIN, b"key")).status, OK)
        self.assertEqual(self.latency("upload_begin")["count"], 1)

    def test_a_section_of_statistics_can_be_asked_for(self):
        self.client.ask(get(b"key"))
        reader = Reader(self.client.ask(frame(STATS, b"server.latency_get_p")).body)
        names = [(reader.block(), reader.block())[0] for _ in range(reader.number("I"))]
        self.assertEqual(names, [b"server.latency_get_p50_us", b"server.latency_get_p99_us",
                                 b"server.latency_get_p999_us"])


LIST, CLEAR, CLOSE = 1, 2, 3
PHASES = ("wait", "queue", "work", "commit", "held")


def look(opcode, action=LIST, number=0):
    return frame(opcode, struct.pack("<BQ", action, number))


def read_slow(body):
    reader = Reader(body)
    entries = []
    for _ in range(reader.number("I")):
        entry = {"number": reader.number("Q"), "time": reader.number("Q"), "client": reader.number("Q"),
                 "id": reader.number("I"), "opcode": reader.number("H"), "beside": reader.number("I"),
                 "total": reader.number("Q")}
        entry.update((phase, reader.number("Q")) for phase in PHASES)
        entry.update(bytes=reader.number("Q"), key_len=reader.number("Q"), key=reader.block(),
                     peer=reader.block(), name=reader.block())
        entries.append(entry)
    assert reader.at == len(body)
    return entries


class SlowLogTest(unittest.TestCase):
    def start(self, threshold="1ms", entries=8):
        self.server = start(self, "--set", "slow_log.threshold=" + threshold,
                            "--set", "slow_log.entries=%d" % entries)
        self.client = self.server.client()
        self.addCleanup(self.client.close)

    def slow(self, number=0):
        return read_slow(self.client.ask(look(SLOWLOG, LIST, number)).body)

    def put_slowly(self, key=b"key", id=7):
        """A put that is synced takes longer than the threshold, sooner or later."""
        end = time.monotonic() + DEADLINE_S
        while True:
            self.assertLess(time.monotonic(), end)
            self.assertEqual(self.client.ask(put(key, bytes(4 << 20), id, durability=SYNCED)).status, OK)
            found = [entry for entry in self.slow() if entry["opcode"] == PUT and key.startswith(entry["key"])]
            if found:
                return found[0]

    def test_slow_put_is_written_down_with_its_phases(self):
        self.start()
        before = time.time() * 1000
        entry = self.put_slowly()
        self.assertEqual((entry["id"], entry["key"], entry["key_len"]), (7, b"key", 3))
        self.assertGreater(entry["bytes"], 4 << 20)
        self.assertGreaterEqual(entry["total"], 1000)
        self.assertGreater(entry["commit"], 0)
        self.assertLessEqual(sum(entry[phase] for phase in PHASES), entry["total"])
        self.assertLess(abs(entry["time"] - before), 60000)
        self.assertEqual(entry["name"], b"test")
        self.assertEqual(entry["peer"], b"127.0.0.1:%d" % self.client.socket.getsockname()[1])

    def test_of_a_long_key_the_beginning_is_shown(self):
        self.start()
        entry = self.put_slowly(bytes(range(200)))
        self.assertEqual((entry["key"], entry["key_len"]), (bytes(range(64)), 200))

    def test_first_of_a_slow_burst_stands_for_all(self):
        self.start()
        keys = [b"key%d" % i for i in range(1000)]
        mget = frame(MGET, varint(len(keys)) + b"".join(block(key) for key in keys), 5)
        end = time.monotonic() + DEADLINE_S
        found = []
        while not found:
            self.assertLess(time.monotonic(), end)
            self.client.send(mget * 20)
            self.client.replies(20)
            found = [entry for entry in self.slow() if entry["opcode"] == MGET and entry["beside"] > 0]
        self.assertEqual((found[0]["id"], found[0]["key"], found[0]["bytes"]), (5, b"key0", len(mget)))
        self.assertGreaterEqual(found[0]["work"] + found[0]["wait"], 1000)

    def test_newest_come_first_and_push_out_the_oldest(self):
        self.start(entries=3)
        while len(self.slow()) < 3 or self.slow(1)[0]["number"] < 6:
            self.put_slowly()
        numbers = [entry["number"] for entry in self.slow()]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] - 3, -1)))
        self.assertEqual(len(self.slow(2)), 2)

    def test_clear_forgets(self):
        self.start()
        self.put_slowly(b"before")
        self.assertEqual(read_slow(self.client.ask(look(SLOWLOG, CLEAR)).body), [])
        self.assertNotIn(b"before", [entry["key"] for entry in self.slow()])

    def test_threshold_changes_while_it_runs_and_zero_turns_it_off(self):
        folder = tempfile.mkdtemp(prefix="kvd-server-")
        self.addCleanup(shutil.rmtree, folder, True)
        config = os.path.join(folder, "kvd.toml")

        def say(threshold):
            with open(config, "w") as file:
                file.write('[slow_log]\nthreshold = %s\n' % threshold)

        say('"1ms"')
        self.server = start(self, "--config", config)
        self.client = self.server.client()
        self.addCleanup(self.client.close)
        self.put_slowly()
        say("0")
        self.server.signal(signal.SIGHUP)
        end = time.monotonic() + DEADLINE_S
        while "slow_log.threshold" not in self.server.output():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)
        time.sleep(0.1)  # the log speaks just before it takes effect
        self.client.ask(look(SLOWLOG, CLEAR))
        for _ in range(5):
            self.client.ask(put(b"key", bytes(4 << 20), durability=SYNCED))
        self.assertEqual(self.slow(), [])

    def test_unknown_look_is_invalid(self):
        self.start()
        self.assertEqual(self.client.ask(look(SLOWLOG, 9)).status, INVALID)


def read_clients(body):
    reader = Reader(body)
    clients = {}
    for _ in range(reader.number("I")):
        names = ("id", "age", "idle", "requests", "in", "out", "queued", "memory")
        entry = {name: reader.number("Q") for name in names}
        entry.update({name: reader.number("I") for name in ("in flight", "snapshots", "loop")})
        entry.update(peer=reader.block(), name=reader.block())
        clients[entry["peer"]] = entry
    assert reader.at == len(body)
    return clients


class ClientsTest(unittest.TestCase):
    def setUp(self):
        self.server = start(self, "--set", "server.loops=2")
        self.client = self.server.client()
        self.addCleanup(self.client.close)

    def clients(self):
        return read_clients(self.client.ask(look(CLIENTS)).body)

    def peer(self, client):
        return b"127.0.0.1:%d" % client.socket.getsockname()[1]

    def entry_of(self, client, until):
        """What is said of a client (or peer), once it is as waited for."""
        end = time.monotonic() + DEADLINE_S
        peer = client if isinstance(client, bytes) else self.peer(client)
        while True:
            entry = self.clients().get(peer)
            if until(entry):
                return entry
            self.assertLess(time.monotonic(), end, entry)
            time.sleep(0.01)

    def test_every_connection_of_every_loop_is_listed_while_it_is_open(self):
        others = [self.server.client() for _ in range(5)]
        silent = self.server.client(greet=False)
        for other in others:
            entry = self.entry_of(other, lambda entry: entry and entry["requests"] == 1)
            self.assertEqual((entry["name"], entry["in flight"], entry["queued"]), (b"test", 0, 0))
        self.assertEqual(self.entry_of(silent, bool)["name"], b"")
        clients = self.clients()
        self.assertEqual(len(clients), 7)
        self.assertEqual({entry["loop"] for entry in clients.values()}, {0, 1})
        ids = [entry["id"] for entry in clients.values()]
        self.assertEqual(ids, sorted(set(ids)))
        for other in others:
            peer = self.peer(other)
            other.close()
            self.entry_of(peer, lambda entry: entry is None)
        silent.close()

    def test_figures_are_of_what_the_connection_did(self):
        other = self.server.client()
        self.addCleanup(other.close)
        sent = put(b"key", b"value") + get(b"key") * 9
        other.send(sent)
        other.replies(10)
        other.ask(frame(SNAPSHOT_OPEN, number(0)))
        entry = self.entry_of(other, lambda entry: entry["requests"] == 12)
        self.assertEqual(entry["in"], len(hello()) + len(sent) + 24)
        self.assertGreater(entry["out"], 300)
        self.assertEqual(entry["snapshots"], 1)
        time.sleep(0.1)
        self.assertGreaterEqual(self.entry_of(other, bool)["idle"], 100)
        self.assertGreaterEqual(entry["age"], entry["idle"])

    def test_answers_that_are_not_taken_are_seen(self):
        other = self.server.client()
        self.addCleanup(other.close)
        other.ask(put(b"key", bytes(4 << 20)))
        other.send(get(b"key") * 8)
        self.assertGreater(self.entry_of(other, lambda entry: entry["queued"] > 0)["queued"], 100000)

    def test_name_is_plain_text_and_cut(self):
        other = self.server.client(greet=False)
        self.addCleanup(other.close)
        name = b"a\nb\0\xff" + b"x" * 200
        other.ask(frame(HELLO, struct.pack("<HHQ", 1, 1, FLAGS) + block(name)))
        entry = self.entry_of(other, lambda entry: entry and entry["requests"] == 1)
        self.assertEqual(entry["name"], b"a_b__" + b"x" * 58)

    def test_killed_connection_is_closed_and_no_other(self):
        victim, other = self.server.client(), self.server.client()
        self.addCleanup(victim.close)
        self.addCleanup(other.close)
        id = self.entry_of(victim, bool)["id"]
        self.assertEqual(self.client.ask(look(CLIENTS, CLOSE, id)).status, OK)
        self.assertTrue(victim.is_closed())
        self.assertEqual(self.client.ask(look(CLIENTS, CLOSE, id)).status, NOT_FOUND)
        self.assertEqual(other.ask(frame(PING)).status, OK)
        self.assertEqual(self.client.stats()["server.closed_on_request"], 1)

    def test_at_most_so_many(self):
        others = [self.server.client() for _ in range(3)]
        self.assertEqual(len(read_clients(self.client.ask(look(CLIENTS, LIST, 2)).body)), 2)
        for other in others:
            other.close()

    def test_others_come_and_go_while_they_are_listed(self):
        for _ in range(50):
            others = [self.server.client(greet=False) for _ in range(10)]
            self.client.send(look(CLIENTS) * 3)
            for other in others:
                other.close()
            for reply in self.client.replies(3):
                self.assertIn(self.peer(self.client), read_clients(reply.body))


def read_hot_keys(body):
    reader = Reader(body)
    keys = []
    for _ in range(reader.number("I")):
        keys.append({"space": reader.block(), "key_len": reader.number("Q"), "key": reader.block(),
                     "reads": reader.number("Q") / 1000, "writes": reader.number("Q") / 1000})
    assert reader.at == len(body)
    return keys


class HotKeysTest(unittest.TestCase):
    def setUp(self):
        self.server = start(self, "--set", "server.loops=2")
        self.client = self.server.client()
        self.addCleanup(self.client.close)

    def hot(self, number=0):
        return read_hot_keys(self.client.ask(look(HOTKEYS, LIST, number)).body)

    def ask_all(self, client, frames):
        for first in range(0, len(frames), 500):
            part = frames[first:first + 500]
            client.send(b"".join(part))
            client.replies(len(part))

    def test_hot_keys_stand_out_of_many_others(self):
        other = self.server.client()  # on the other loop
        self.addCleanup(other.close)
        began = time.monotonic()
        for client in (self.client, other):
            self.ask_all(client, [get(b"hot") if i % 4 == 0 else put(b"warm", b"v") if i % 10 == 1 else
                                  get(b"cold%d" % i) for i in range(20000)])
        seconds = time.monotonic() - began
        first, second = self.hot()[:2]
        self.assertEqual((first["key"], first["space"], first["writes"]), (b"hot", b"", 0))
        self.assertEqual((second["key"], second["reads"]), (b"warm", 0))
        self.assertGreater(first["reads"] / second["writes"], 1.2)  # 2.5 in the long run
        self.assertLess(first["reads"], 3 * 10000 / seconds)
        self.assertGreater(first["reads"], 10000 / (seconds + 5) / 3)
        self.assertEqual(len(self.hot(1)), 1)

    def test_keys_of_lists_count_each(self):
        keys = [b"one", b"two\0\xff"] * 500
        mget = frame(MGET, varint(len(keys)) + b"".join(block(key) for key in keys))
        self.ask_all(self.client, [mget] * 20)
        self.assertEqual({entry["key"] for entry in self.hot()}, {b"one", b"two\0\xff"})
        self.assertTrue(all(entry["reads"] > 0 for entry in self.hot()))

    def test_same_key_of_two_namespaces_is_two_keys_and_long_ones_are_cut(self):
        key = bytes(range(256)) * 2
        space = b"space"
        of_space = frame(GET, block(space) + key, flags=FLAG_NAMESPACE)
        self.ask_all(self.client, [get(key), of_space, get(key + b"?")] * 2000)
        found = {(entry["space"], entry["key_len"]): entry["key"] for entry in self.hot()}
        self.assertEqual(found, {(b"", 512): key[:128], (space, 512): key[:128], (b"", 513): key[:128]})

    def test_clear_forgets(self):
        self.ask_all(self.client, [get(b"hot")] * 2000)
        self.assertEqual(len(self.hot()), 1)
        self.assertEqual(read_hot_keys(self.client.ask(look(HOTKEYS, CLEAR)).body), [])
        self.assertEqual(self.hot(), [])


class WhySlowTest(unittest.TestCase):
    def setUp(self):
        self.server = start(self)
        self.client = self.server.client()
        self.addCleanup(self.client.close)

    def why(self):
        reader = Reader(self.client.ask(frame(WHY, b"slow")).body)
        return [(reader.block().decode(), reader.block().decode(), reader.number("Q"))
                for _ in range(reader.number("I"))]

    def test_nothing_was_asked_for(self):
        self.assertEqual(self.why(), [("summary", "no requests in the last one to two minutes", 0)])

    def test_busiest_commands_come_first_with_their_times(self):
        self.client.send(put(b"key", b"v", durability=SYNCED) + get(b"key"))
        self.client.replies(2)
        lines = self.why()
        self.assertEqual(lines[0][0], "summary")
        self.assertTrue(lines[0][1].startswith("2 requests in the last one to two minutes took "))
        commands = [line for line in lines if line[0] == "command"]
        self.assertEqual({line[1].split(":")[0] for line in commands}, {"put", "get"})
        self.assertEqual([line[2] for line in commands], sorted((line[2] for line in commands),
                                                                reverse=True))
        self.assertEqual(sum(line[2] for line in commands), lines[0][2])

    def test_slow_syncs_are_found(self):
        """At least one of the writes is to take more than a millisecond, as syncs do now and then."""
        end = time.monotonic() + DEADLINE_S
        found = []
        while not found:
            self.assertLess(time.monotonic(), end, self.why())
            self.client.ask(put(b"key", bytes(4 << 20), durability=SYNCED))
            found = [line for line in self.why() if line[0] == "finding" and "syncs, with " in line[1]]
        self.assertGreater(found[0][2], 0)
        self.assertGreater(self.client.stats()["storage.log_sync_us"], 0)

    def test_other_questions_are_invalid(self):
        self.assertEqual(self.client.ask(frame(WHY, b"slo")).status, INVALID)


if __name__ == "__main__":
    unittest.main()
