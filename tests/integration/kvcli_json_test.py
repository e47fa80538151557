# kvcli_json_test.py: every command with --json, on keys and values that are not text. The commands
# come from kvcli itself, so that a new one without a line here fails.
import base64
import json
import os
import socket
import unittest

from kvcli_case import EVERY_BYTE, KvcliCase

KEY = b"\x00key\n\xff"
VALUE = EVERY_BYTE
ESCAPED = r"\x00key\n\xff"
ESCAPED_VALUE = "".join("\\x%02x" % byte for byte in VALUE)


def bytes_of(entry, name):
    if name in entry:
        return entry[name].encode()
    return base64.b64decode(entry[name + "_base64"])


class JsonTest(KvcliCase):
    def setUp(self):
        super().setUp()
        self.version = self.only("put", "-e", ESCAPED, ESCAPED_VALUE)["version"]

    def objects(self, *words, given=b"", code=0):
        run = self.run_kvcli("--json", *words, given=given)
        self.assertEqual((run.returncode, run.stderr), (code, b""), words)
        found = [json.loads(line) for line in run.stdout.splitlines()]
        self.assertTrue(found, words)
        for entry in found:
            self.assertIsInstance(entry, dict, words)
        return found

    def only(self, *words, given=b"", code=0):
        found = self.objects(*words, given=given, code=code)
        self.assertEqual(len(found), 1, words)
        return found[0]

    def has_key(self, entry, key=KEY):
        self.assertEqual(bytes_of(entry, "key"), key)

    # --- one check for each command

    def check_get(self):
        entry = self.only("get", "-e", ESCAPED)
        self.has_key(entry)
        self.assertEqual(bytes_of(entry, "value"), VALUE)
        part = self.only("get", "-e", ESCAPED, "--range", "250-")
        self.has_key(part)
        self.assertEqual((part["offset"], bytes_of(part, "value")), (250, VALUE[250:]))

    def check_put(self):
        self.assertEqual(self.only("put", "-e", ESCAPED, "-", given=VALUE * 9).keys(), {"version"})
        self.assertEqual(self.done("get", "-e", ESCAPED), VALUE * 9)

    def check_del(self):
        entry = self.only("del", "-e", ESCAPED)
        self.has_key(entry)
        self.assertIs(entry["deleted"], True)

    def check_exists(self):
        self.has_key(self.only("exists", "-e", ESCAPED))
        self.assertIs(self.only("exists", "none", code=1)["exists"], False)

    def check_meta(self):
        entry = self.only("meta", "-e", ESCAPED)
        self.has_key(entry)
        self.assertEqual((entry["version"], entry["length"]), (self.version, 256))

    def check_mget(self):
        found = self.objects("mget", "-e", ESCAPED, ESCAPED)
        self.assertEqual([bytes_of(entry, "value") for entry in found], [VALUE, VALUE])

    def check_scan(self):
        for entry in (self.only("scan"), self.only("scan", "-e", r"\x00"),
                      self.only("scan", "-e", "--from", r"\x00", "--to", r"\x01")):
            self.has_key(entry)
            self.assertEqual(bytes_of(entry, "value"), VALUE)

    def check_count(self):
        self.assertEqual(self.only("count", "-e", r"\x00"), {"count": 1})

    def check_batch(self):
        line = b'put "' + b"\\x00\\xfe" + b'" "' + ESCAPED_VALUE.encode() + b'"\n'
        self.assertEqual(self.only("batch", given=line), {"done": 1})
        self.assertEqual(self.done("get", "-e", r"\x00\xfe"), VALUE)

    def check_decide(self):
        lines = (b'if "\\x00key\\n\\xff" exists\nthen get "\\x00key\\n\\xff"\nthen add n 5\n'
                 b'then put "\\x00\\xfe" x\nelse get none\n')
        entry = self.only("decide", given=lines)
        self.assertEqual((entry["held"], entry["results"][1:]), (True, [{"number": 5}, {}]))
        self.assertEqual((entry["results"][0]["found"], bytes_of(entry["results"][0], "value")), (True, VALUE))
        self.assertGreater(entry["version"], self.version)
        entry = self.only("decide", given=b"if n value = 6\nelse get none\n", code=1)
        self.assertEqual((entry["held"], entry["results"]), (False, [{"found": False}]))
        self.assertEqual(self.only("decide", given=b"if none exists\n", code=1)["results"], [])

    def check_export(self):
        lines = self.done("--json", "export", "-", "--format", "jsonl")
        entry = json.loads(lines.splitlines()[0])
        self.has_key(entry)
        self.assertEqual(bytes_of(entry, "value"), VALUE)
        result = self.only("export", os.path.join(self.scratch, "all.jsonl"))
        self.assertEqual((result["written"], result["failed"]), (1, 0))

    def check_import(self):
        lines = self.done("export", "-", "--format", "jsonl")
        self.clear()
        self.assertEqual(self.only("import", "-", "--format", "jsonl", given=lines)["stored"], 1)
        self.assertEqual(self.done("get", "-e", ESCAPED), VALUE)

    def check_load(self):
        lines = self.done("export", "-", "--format", "jsonl")
        self.clear()
        loaded = self.only("load", "-", "--format", "jsonl", given=lines)
        self.assertEqual((loaded["loaded"], set(loaded)), (1, {"loaded", "bytes", "version"}))
        self.assertEqual(self.done("get", "-e", ESCAPED), VALUE)

    def check_backup(self):
        path = os.path.join(self.scratch, "\u00e4.kvb")
        made = self.only("backup", path, "--force", "--hold", "1m")
        self.assertEqual((made["file"], made["version"], made["keys"]), (path, self.version, 1))
        self.assertGreater(made["held_until_ms"], made["time_ms"])
        self.only("snapshot", "close", str(made["held_snapshot"]))
        sound = self.only("backup", "verify", path)
        self.assertEqual((sound["sound"], sound["version"], sound["since"]), (True, self.version, 0))

    def check_restore(self):
        path = os.path.join(self.scratch, "to-restore")
        self.only("backup", path)
        self.done("del", "-e", ESCAPED)
        self.assertEqual(self.only("restore", path)["keys"], 1)
        self.assertEqual(self.done("get", "-e", ESCAPED), VALUE)

    def check_add(self):
        self.assertEqual(self.only("add", "-e", r"\xffn", "41")["sum"], 41)

    def check_append(self):
        self.assertEqual(self.only("append", "-e", ESCAPED, r"\x00\xff")["length"], 258)
        self.assertEqual(self.done("get", "-e", ESCAPED), VALUE + b"\0\xff")

    def check_touch(self):
        self.assertIn("version", self.only("touch", "-e", ESCAPED, "--ttl", "1h"))

    def check_persist(self):
        self.assertIn("version", self.only("persist", "-e", ESCAPED))

    def check_ttl(self):
        self.assertEqual(self.only("ttl", "-e", ESCAPED)["ttl_ms"], -1)

    def check_delrange(self):
        self.assertIn("version", self.only("delrange", "-e", r"\x00"))
        self.assertEqual(self.done("count"), b"0\n")

    def check_history(self):
        self.assertEqual(self.objects("history", "-e", ESCAPED)[0]["version"], self.version)

    def check_watch(self):
        entry = self.only("watch", "-e", r"\x00", "--from", str(self.version - 1), "--once")
        self.has_key(entry)
        self.assertEqual((entry["change"], entry["version"], entry["last"]), ("put", self.version, True))
        self.assertEqual(bytes_of(entry, "value"), VALUE)

    def check_snapshot(self):
        opened = self.only("snapshot", "open")
        self.assertIn(opened["id"], [entry["id"] for entry in self.objects("snapshot", "list")])
        self.assertEqual(bytes_of(self.only("get", "-e", ESCAPED, "--snapshot", str(opened["id"])),
                                  "value"), VALUE)
        self.assertEqual(self.only("snapshot", "close", str(opened["id"])),
                         {"closed": opened["id"]})

    def keeping(self):
        """A namespace that keeps its past, with a key that was changed; the version before."""
        self.only("namespace", "set", "kept", "--keep", "1h")
        before = self.only("-n", "kept", "put", "-e", ESCAPED, "old")["version"]
        self.only("-n", "kept", "put", "-e", ESCAPED, ESCAPED_VALUE)
        return str(before)

    def check_diff(self):
        change = self.only("-n", "kept", "diff", "-e", r"\x00", self.keeping())
        self.has_key(change)
        self.assertEqual(change["change"], "changed")

    def check_rewind(self):
        before = self.keeping()
        self.assertEqual(self.only("-n", "kept", "rewind", "-e", r"\x00", "--at", before)["changed"],
                         1)
        self.assertEqual(self.done("-n", "kept", "get", "-e", ESCAPED), b"old")

    def check_namespace(self):
        self.assertIn("version", self.only("namespace", "set", "näme", "--quota", "1MiB"))
        self.assertIn("näme", [entry["name"] for entry in self.objects("namespace", "list")])
        self.assertIn("version", self.only("namespace", "drop", "näme"))

    def check_verify(self):
        self.assertIn({"name": "faults", "text": "0"}, self.objects("verify"))
        self.clear()
        tree = self.make_tree()
        self.only("import", tree)
        result = self.only("verify", tree)
        self.assertEqual((result["same"], result["different"]), (5, 0))

    def check_explain(self):
        self.assertEqual(self.objects("explain", "-e", ESCAPED)[0]["place"], "state")

    def check_why(self):
        self.assertLessEqual({"kind", "holder", "bytes"}, self.objects("why", "space")[0].keys())
        slow = self.objects("why", "slow")
        self.assertEqual(slow[0]["kind"], "summary")
        self.assertEqual({"kind", "text", "us"}, slow[0].keys())
        self.assertIn("put: ", " ".join(line["text"] for line in slow if line["kind"] == "command"))

    def check_flush(self):
        self.objects("flush")

    def check_compact(self):
        self.objects("compact")

    def check_gc(self):
        self.objects("gc")

    def check_checkpoint(self):
        self.only("checkpoint", os.path.join(self.scratch, "copy"))

    def check_slowlog(self):
        found = []
        while not found:  # a synced put of 8 MiB takes longer than a millisecond, sooner or later
            self.done("put", "-e", ESCAPED, "-", given=bytes(8 << 20))
            lines = self.done("--json", "slowlog", "1000").splitlines()
            found = [entry for entry in map(json.loads, lines) if entry["command"] == "PUT"]
        self.assertEqual(bytes_of(found[0], "key"), KEY)
        self.assertLessEqual({"total_us", "wait_us", "queue_us", "work_us", "commit_us", "held_us",
                              "peer", "client_id", "time_ms"}, found[0].keys())
        self.assertEqual(self.only("slowlog", "clear"), {"cleared": True})

    def check_clients(self):
        mine = [entry for entry in self.objects("clients") if entry["name"] == "kvcli"]
        self.assertLessEqual({"id", "peer", "age_ms", "idle_ms", "requests", "in_flight", "bytes_in",
                              "bytes_out", "queued_bytes", "memory_bytes", "snapshots", "loop"},
                             mine[0].keys())
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(self.server.address[len("unix:"):])
            ids = set()
            while not ids:  # until the loop has taken it; it has said nothing yet, nor its name
                ids = {entry["id"] for entry in self.objects("clients") if entry["name"] == ""}
            self.assertEqual(self.only("clients", "kill", str(max(ids))), {"closed": max(ids)})
            other.settimeout(30)
            self.assertEqual(other.recv(1), b"")

    def check_hotkeys(self):
        self.assertEqual(self.only("hotkeys", "clear"), {"cleared": True})
        self.done("mget", "-e", *[ESCAPED] * 1000)
        hottest = self.objects("hotkeys", "3")[0]
        self.has_key(hottest)
        self.assertEqual((hottest["key_len"], hottest["namespace"]), (len(KEY), ""))
        self.assertGreater(hottest["reads_per_second"], 0)
        self.assertEqual(hottest["writes_per_second"], 0)

    def check_config(self):
        for entry in self.objects("config", "get"):
            self.assertEqual(entry.keys(), {"name", "value", "default", "source", "online"})
        level = self.only("config", "set", "log.level", "debug")
        self.assertEqual(level, {"name": "log.level", "value": '"debug"', "default": '"info"',
                                 "source": "set online", "online": True})
        self.assertEqual(self.only("config", "get", "log.level"), level)
        self.only("config", "set", "log.level", "info")

    def check_stats(self):
        self.assertIn("server.started_at_ms", self.only("stats"))
        self.assertTrue(all(name.startswith("storage.") for name in self.only("stats", "storage")))

    def check_ping(self):
        self.assertGreater(self.only("ping")["ms"], 0)

    def check_top(self):
        entry = self.only("top", "--once", "--interval", "100ms")
        self.assertIn("stats", entry["commands"])
        self.assertGreaterEqual(entry["connections"], 1)

    def check_bench(self):
        result = self.only("bench", "--requests", "200", "--connections", "2", "--keys", "100")
        self.assertEqual(result["run"]["requests"], 200)
        self.assertEqual((result["workload"], result["interrupted"]), (None, False))

    def check_completion(self):
        self.assertIn(b"complete -F", self.done("completion", "bash"))  # it is a script, always

    def check_help(self):
        self.assertEqual(self.only("help", "get")["command"], "get")
        self.assertEqual(self.only("get", "--help"), self.only("help", "get"))
        self.assertIn("--range", [option["name"] for option in self.only("help", "get")["options"]])
        self.assertEqual(self.only("--version").keys(), {"version"})

    # --- every one of them

    def test_every_command_answers_in_json_and_keeps_every_byte(self):
        for command in [entry["command"] for entry in self.objects("help")]:
            with self.subTest(command):
                self.clear()
                self.version = self.only("put", "-e", ESCAPED, ESCAPED_VALUE)["version"]
                getattr(self, "check_" + command)()


if __name__ == "__main__":
    unittest.main()
