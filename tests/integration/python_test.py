# python_test.py: the Python binding against a real kvd, and its structs against those of the headers.
import ctypes
import glob
import inspect
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import typing
import unittest

import kvd_server

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("KVD_BUILD", os.path.join(ROOT, "build")))
PLAIN = os.path.basename(BUILD) == "build"  # a library with a sanitizer cannot be loaded into Python

if PLAIN:
    os.environ["KVD_LIBRARY"] = os.path.join(BUILD, "libkvd.so.0")
    sys.path.insert(0, os.path.join(ROOT, "client", "python"))
    import kvd
    from kvd import _library


@unittest.skipUnless(PLAIN, "the library of users has no sanitizer")
class LayoutTest(unittest.TestCase):
    def offsets(self, struct):
        """(name, offset, size) as the C compiler sees them, and the size of the whole."""
        lines = ['printf("%%s %%zu %%zu\\n", "%s", offsetof(struct %s, %s), sizeof(((struct %s *)0)->%s));'
                 % (name, struct.__name__, name, struct.__name__, name) for name, *_ in struct._fields_]
        return "".join(lines) + 'printf("%%zu\\n", sizeof(struct %s));' % struct.__name__

    def test_structs_are_laid_out_as_in_the_headers(self):
        place = tempfile.mkdtemp(prefix="kvd-layout-")
        self.addCleanup(shutil.rmtree, place)
        with open(place + "/layout.c", "w") as file:
            file.write("#include <kvd/kvd.h>\n#include <stdio.h>\nint main(void) {%s}\n" %
                       "\n".join(self.offsets(struct) for struct in _library.STRUCTS))
        subprocess.run(["gcc", "-I", ROOT + "/client/include", place + "/layout.c", "-o", place + "/layout"],
                       check=True)
        said = subprocess.run([place + "/layout"], stdout=subprocess.PIPE, check=True, text=True).stdout
        expected = []
        for struct in _library.STRUCTS:
            for name, *_ in struct._fields_:
                field = getattr(struct, name)
                expected.append("%s %d %d" % (name, field.offset, field.size))
            expected.append(str(ctypes.sizeof(struct)))
        self.assertEqual(said.splitlines(), expected)

    def test_every_status_has_its_class(self):
        for status in kvd.Status:
            self.assertEqual(_library.lib.kvd_status_name(status).decode(), status.name.lower())
            if status not in (kvd.Status.OK, kvd.Status.END):
                self.assertIsNot(type(kvd._errors.make_error(status)), kvd.KvdError)
        self.assertEqual(_library.lib.kvd_status_name(max(kvd.Status) + 1), b"invalid_status")
        self.assertIs(type(kvd._errors.make_error(12345)), kvd.KvdError)

    def test_every_parameter_has_a_type(self):
        for name in ("Batch", "Connection", "Pool", "Scan", "Snapshot", "Transaction", "Upload"):
            for member, call in vars(getattr(kvd, name)).items():
                if inspect.isfunction(call):
                    wanted = set(inspect.signature(call).parameters) - {"self", "_"} | {"return"}
                    hinted = set(call.__annotations__)
                    self.assertEqual(wanted - hinted - ({"return"} if member == "__init__" else set()), set(),
                                     name + "." + member)
        typing.get_type_hints(kvd.Connection.put)
        typing.get_type_hints(kvd.Connection.scan)

    def test_options_are_those_of_the_calls(self):
        taken = inspect.signature(kvd._values.write_options).parameters
        self.assertEqual(set(taken), set(kvd.WriteOptions.__annotations__))
        taken = set(inspect.signature(kvd.Connection.entries).parameters) - {"self", "keys_only"}
        self.assertEqual(taken, set(kvd.ScanOptions.__annotations__))

    def test_public_names_have_docstrings(self):
        for name in kvd.__all__:
            thing = getattr(kvd, name)
            for path, each in [(name, thing)] + [(name + "." + member, value) for member, value in
                                                 vars(thing).items() if isinstance(thing, type) and
                                                 callable(value) and not member.startswith("_")]:
                self.assertTrue(each.__doc__, path)


@unittest.skipUnless(PLAIN, "the library of users has no sanitizer")
class PythonTest(kvd_server.SharedServerTest):
    def setUp(self):
        super().setUp()
        self.db = self.connect()
        self.db.delete_range(b"\0")

    def connect(self, **options):
        db = kvd.connect(self.server.address, **options)
        self.addCleanup(db.close)
        return db

    # --- single keys ---

    def test_a_value_comes_back_as_it_was_put(self):
        for value in (b"Ada", b"", bytes(range(256)), b"x" * 3000000):
            version = self.db.put(b"k\0\xff", value, flags=7, checksum=True)
            found = self.db.read(b"k\0\xff", verify=True)
            self.assertEqual(found.data, value)
            self.assertEqual((found.meta.version, found.meta.length, found.meta.flags), (version, len(value), 7))
            self.assertIsNone(found.meta.expires_at)

    def test_text_is_utf8_and_other_buffers_are_bytes(self):
        self.db.put("größe", "süß")
        self.assertEqual(self.db.get("größe".encode()), "süß".encode())
        self.db.put(bytearray(b"k"), memoryview(b"value"))
        self.assertEqual(self.db.get("k"), b"value")
        for wrong in (None, 5, ["k"]):
            with self.assertRaises(TypeError):
                self.db.put(wrong, b"v")
            with self.assertRaises(TypeError):
                self.db.put(b"k", wrong)

    def test_what_is_not_there_is_the_default(self):
        self.assertIsNone(self.db.get("absent"))
        self.assertEqual(self.db.get("absent", b"other"), b"other")
        self.assertIsNone(self.db.read("absent"))
        self.assertIsNone(self.db.meta("absent"))
        self.assertIsNone(self.db.get_range("absent", 0, 5))
        self.assertFalse(self.db.exists("absent"))
        self.db.delete("absent")

    def test_a_connection_is_used_like_a_dict(self):
        self.db["a"] = "1"
        self.assertEqual(self.db["a"], b"1")
        self.assertIn("a", self.db)
        self.assertEqual(list(self.db), [b"a"])
        del self.db["a"]
        self.assertNotIn("a", self.db)
        with self.assertRaises(KeyError):
            self.db["a"]
        with self.assertRaises(KeyError):
            del self.db["a"]

    def test_conditions(self):
        version = self.db.put("k", "1", if_absent=True)
        with self.assertRaises(kvd.Exists) as caught:
            self.db.put("k", "2", if_absent=True)
        self.assertEqual(caught.exception.detail, version)
        self.assertEqual(caught.exception.outcome, kvd.Outcome.FAILED)
        with self.assertRaises(kvd.VersionMismatch):
            self.db.put("k", "2", if_version=version + 1000)
        self.db.put("k", "2", if_version=version)
        with self.assertRaises(kvd.Absent):
            self.db.delete("absent", if_present=True)
        with self.assertRaises(ValueError):
            self.db.put("k", "3", if_absent=True, if_present=True)

    def test_expiry_is_in_seconds(self):
        self.db.put("k", "v", ttl=100)
        self.assertAlmostEqual(self.db.meta("k").expires_at, time.time() + 100, delta=5)
        self.db.touch("k", expires_at=time.time() + 500)
        self.assertAlmostEqual(self.db.meta("k").expires_at, time.time() + 500, delta=5)
        self.db.persist("k")
        self.assertIsNone(self.db.meta("k").expires_at)
        self.db.put("k", "v", ttl=0.05)
        time.sleep(0.2)
        self.assertIsNone(self.db.get("k"))
        for wrong in (0, -1, float("nan")):
            with self.assertRaises(ValueError):
                self.db.put("k", "v", ttl=wrong)

    def test_counters_and_appends(self):
        self.assertEqual(self.db.add("n"), 1)
        self.assertEqual(self.db.add("n", -11), -10)
        self.db.put("n", str(2 ** 63 - 1))
        with self.assertRaises(OverflowError):
            self.db.add("n")
        with self.assertRaises(ValueError):
            self.db.add("n", 2 ** 63)
        self.assertEqual(self.db.append("t", "ab"), 2)
        self.assertEqual(self.db.append("t", "c"), 3)
        self.assertEqual(self.db["t"], b"abc")
        self.assertEqual(self.db.get_range("t", 1, 10), b"bc")

    def test_many_keys_at_once(self):
        self.db.put("a", "1")
        self.db.put("c", "")
        self.assertEqual(self.db.mget(["a", "b", "c"]), [b"1", None, b""])
        self.assertEqual(self.db.mget([]), [])
        keys = ["key%05d" % i for i in range(3000)]
        self.assertEqual(self.db.mget(keys), [None] * 3000)

    def test_what_the_server_refuses_is_an_exception(self):
        with self.assertRaises(kvd.InvalidCall):
            self.db.put("", "v")
        with self.assertRaises(kvd.TooLarge) as caught:
            self.db.put("k" * (self.db.server_info().key_max + 1), "v")
        self.assertIsInstance(caught.exception, ValueError)
        self.assertEqual(caught.exception.status, kvd.Status.TOO_LARGE)
        self.assertTrue(str(caught.exception))

    # --- walking ---

    def fill(self, count):
        with self.db.batch() as batch:
            for i in range(count):
                batch.put("k%04d" % i, "v%d" % i)

    def test_scans_walk_in_order_over_many_pages(self):
        self.fill(1000)
        pairs = [(b"k%04d" % i, b"v%d" % i) for i in range(1000)]
        self.assertEqual(list(self.db.scan(page_entries=7)), pairs)
        self.assertEqual(list(self.db.scan(reverse=True)), pairs[::-1])
        self.assertEqual(list(self.db.scan(prefix="k00", limit=5)), pairs[:5])
        self.assertEqual(list(self.db.scan(start="k0010", end="k0012")), pairs[10:12])
        self.assertEqual(list(self.db.keys(prefix="k099")), [key for key, _ in pairs[990:]])
        self.assertEqual(self.db.count(prefix="k05"), 100)
        with self.assertRaises(kvd.InvalidCall):
            list(self.db.scan(prefix="k", start="k"))

    def test_a_scan_is_closed_early_and_other_calls_come_in_between(self):
        self.fill(10)
        with self.db.entries(page_entries=2) as scan:
            first = next(scan)
            self.assertEqual((first.key, first.value, first.meta.length), (b"k0000", b"v0", 2))
            self.db.delete("k0005")
            self.assertEqual(len(list(scan)), 8)
            with self.assertRaises(StopIteration):
                next(scan)
        for key in self.db.keys():
            break
        scan = self.db.entries()
        self.db.close()
        with self.assertRaises(StopIteration):
            next(scan)
        scan.close()

    # --- batches ---

    def test_a_batch_is_one_commit(self):
        with self.db.batch() as batch:
            batch.put("a", "1", ttl=100)
            batch.add("n", 5)
            batch.append("t", "xyz")
            batch.delete("b")
            self.assertEqual(len(batch), 4)
            self.assertIsNone(self.db.get("a"))
        self.assertEqual(batch.results, [5, 3])
        self.assertEqual(self.db.meta("a").version, batch.version)
        self.assertEqual(self.db.meta("n").version, batch.version)

    def test_an_exception_leaves_a_batch_uncommitted(self):
        with self.assertRaises(ZeroDivisionError):
            with self.db.batch() as batch:
                batch.put("a", "1")
                1 / 0
        self.assertNotIn("a", self.db)
        with self.assertRaises(ValueError):
            batch.put("a", "1")
        with self.db.batch():
            pass
        with self.assertRaises(kvd.InvalidCall):
            self.db.batch().commit()

    def test_the_item_at_fault_is_told(self):
        self.db.put("there", "1")
        batch = self.db.batch()
        batch.put("a", "1")
        batch.put("there", "2", if_absent=True)
        with self.assertRaises(kvd.Exists) as caught:
            batch.commit()
        self.assertEqual(caught.exception.item, 1)
        self.assertNotIn("a", self.db)

    # --- changes ---

    def test_a_watch_gives_what_is_committed_and_goes_on_where_it_was(self):
        start = self.db.put("before", "1", durability=kvd.Durability.SYNCED)
        with self.db.watch(prefix="w/", version=start, timeout=5) as watch:
            version = self.db.put("w/a", b"1\0", ttl=60, durability=kvd.Durability.SYNCED)
            self.db.put("x", "elsewhere")
            change = next(watch)
            self.assertEqual((change.kind, change.version, change.key, change.value, change.last),
                             (kvd.ChangeKind.PUT, version, b"w/a", b"1\0", True))
            self.assertGreater(change.meta.expires_at, time.time())
            self.assertEqual(watch.version, version)
            self.assertIsNone(watch.next(0))
            noted = watch.version
        self.assertEqual(watch.version, noted)  # to be noted behind the block as well
        self.db.delete("w/a", durability=kvd.Durability.SYNCED)
        last = self.db.delete_prefix("w/b", durability=kvd.Durability.SYNCED)
        again = self.db.watch(prefix="w/", version=version, timeout=0.1)
        self.assertEqual([(change.kind, change.key, change.end) for change in again],
                         [(kvd.ChangeKind.DELETE, b"w/a", b""), (kvd.ChangeKind.DELETE_RANGE, b"w/b", b"w/c")])
        self.assertGreaterEqual(again.version, last)
        self.assertEqual(list(again), [])
        again.close()
        with self.assertRaises(kvd.InvalidCall):
            next(self.db.watch(version=1 << 60))
        for version in (-1, 1 << 64):
            with self.assertRaises(ValueError):
                self.db.watch(version=version)

    def test_a_long_value_comes_in_parts(self):
        value = os.urandom(100000)
        version = self.db.put("w", value, durability=kvd.Durability.SYNCED)
        changes = list(self.db.watch(prefix="w", version=version - 1, timeout=0.1, page_bytes=30000))
        self.assertEqual(b"".join(change.value for change in changes), value)
        self.assertEqual([change.offset for change in changes], [0, 30000, 60000, 90000])
        self.assertEqual([change.last for change in changes], [False, False, False, True])

    # --- the past ---

    def test_a_transaction_commits_at_the_end_of_its_block(self):
        self.db.put("a", "1")
        with self.db.transaction() as txn:
            txn["b"] = txn["a"] + b"!"
            txn.add("n", 5)
            txn.append("a", "2")
            self.assertEqual((txn.get("a"), txn.count(), "b" in txn), (b"12", 3, True))
            self.assertEqual(list(txn.scan()), [(b"a", b"12"), (b"b", b"1!"), (b"n", b"5")])
            self.assertEqual(txn.mget(["b", "none"]), [b"1!", None])
            self.assertEqual(self.db.get("b"), None)
        self.assertGreater(txn.commit_version, txn.version)
        self.assertEqual(list(self.db.scan()), [(b"a", b"12"), (b"b", b"1!"), (b"n", b"5")])
        with self.db.transaction() as txn:
            del txn["a"]
            txn.delete("n")
            txn.touch("b", ttl=100)
            txn.persist("b")
            self.assertEqual(list(txn), [b"b"])
            txn.delete_prefix("b")
            txn.delete_range("x", "y")
        self.assertEqual(list(self.db), [])
        with self.assertRaises(ValueError):
            txn.commit()

    def test_an_exception_rolls_a_transaction_back(self):
        with self.assertRaises(RuntimeError), self.db.transaction() as txn:
            txn.put("a", "1")
            raise RuntimeError
        self.assertTrue(txn.over)
        self.assertNotIn("a", self.db)
        with self.assertRaises(kvd.Gone):
            txn.get("a")

    def test_a_conflict_tells_what_and_who(self):
        other = self.connect()
        with self.assertRaises(kvd.TransactionConflict) as caught, self.db.transaction() as txn:
            self.assertIsNone(txn.get("k"))
            won = other.put("k", "first")
            txn.put("x", "too late")
        conflict = caught.exception.conflict
        self.assertEqual((conflict.namespace, conflict.start, conflict.is_range, conflict.version),
                         ("", b"k", False, won))
        self.assertNotIn("x", self.db)
        with self.assertRaises(kvd.TransactionConflict) as caught, self.db.transaction() as txn:
            self.assertEqual(list(txn.keys(prefix="phantom/")), [])
            other.put("phantom/1", "")
            txn.put("x", "too late")
        self.assertTrue(caught.exception.conflict.is_range)

    def test_transact_runs_again_until_it_commits(self):
        threads = [self.connect() for _ in range(4)]
        self.db.put("n", "0")

        def work(txn):
            value = int(txn["n"])
            txn["n"] = str(value + 1)
            return value

        def run(db, seen):
            for _ in range(25):
                seen.append(db.transact(work))

        seen = []
        running = [threading.Thread(target=run, args=(db, seen)) for db in threads]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        self.assertEqual((self.db["n"], sorted(seen)), (b"100", list(range(100))))
        calls = []

        def loses(txn):
            calls.append(txn.get("n"))
            threads[0].add("n", 1)
            txn.put("x", "")

        with self.assertRaises(kvd.TransactionConflict):
            self.db.transact(loses, attempts=3)
        self.assertEqual(len(calls), 3)

    def test_a_read_only_transaction_sees_one_state(self):
        self.db.put("a", "1")
        with self.db.transaction(read_only=True) as txn:
            self.db.put("a", "2")
            self.assertEqual(txn.get("a"), b"1")
            with self.assertRaises(kvd.InvalidCall):
                txn.put("a", "3")
        with self.db.snapshot() as snapshot:
            self.db.put("a", "4")
            with self.db.transaction(read_only=True, at=snapshot) as txn:
                self.assertEqual(txn.get("a"), b"2")

    def test_a_snapshot_keeps_the_state_of_its_moment(self):
        self.db.put("a", "old")
        with self.db.snapshot() as snapshot:
            version = self.db.put("a", "new")
            self.db.put("b", "new")
            self.assertGreater(version, snapshot.version)
            self.assertEqual(self.db.get("a", at=snapshot), b"old")
            self.assertEqual(list(self.db.scan(at=snapshot)), [(b"a", b"old")])
            self.assertEqual(self.db.mget(["a", "b"], at=snapshot), [b"old", None])
            other = self.connect()
            self.assertEqual(other.get("a", at=kvd.State(snapshot=snapshot.id)), b"old")
        self.assertEqual(self.db["a"], b"new")
        snapshot.close()
        with self.assertRaises(TypeError):
            self.db.get("a", at=5)

    # --- large values ---

    def test_a_stream_is_of_one_state(self):
        value = os.urandom(2500000)
        self.db.put("k", value)
        stream = self.db.stream("k", piece_bytes=1000000)
        pieces = [next(stream)]
        self.db.put("k", "other")
        pieces += list(stream)
        self.assertEqual([len(piece) for piece in pieces], [1000000, 1000000, 500000])
        self.assertEqual(b"".join(pieces), value)
        with self.assertRaises(kvd.NotFound):
            next(self.db.stream("absent"))
        self.db.put("empty", "")
        self.assertEqual(list(self.db.stream("empty")), [])

    def test_files_go_in_and_out_piece_by_piece(self):
        value = os.urandom(1 << 20) * 5
        version = self.db.put_file("film", io.BytesIO(value), flags=3)
        out = io.BytesIO()
        meta = self.db.read_into("film", out, verify=True)
        self.assertEqual(out.getvalue(), value)
        self.assertEqual((meta.version, meta.flags, meta.length), (version, 3, len(value)))

    def test_a_value_longer_than_a_request_is_scanned_by_itself(self):
        piece = os.urandom(1 << 20)
        count = self.db.server_info().value_max // len(piece) + 1
        with self.db.upload("film") as upload:
            for _ in range(count):
                upload.write(piece)
        with self.db.entries() as scan:
            entry = next(scan)
        self.assertIsNone(entry.value)
        self.assertEqual(entry.meta.length, count * len(piece))
        ((key, value),) = self.db.scan()
        self.assertEqual((key, len(value), value[:1 << 20]), (b"film", count * len(piece), piece))

    def test_an_upload_that_fails_leaves_nothing(self):
        with self.assertRaises(ZeroDivisionError):
            with self.db.upload("k") as upload:
                upload.write("abc")
                1 / 0
        self.assertNotIn("k", self.db)
        with self.assertRaises(ValueError):
            upload.write("more")

    def test_a_load_is_there_as_a_whole_at_the_end_of_its_block(self):
        self.db["k00007"] = "old"
        with self.db.load() as load:
            for number in range(2000):
                load.put(f"k{number:05}", f"v{number}" * 200, flags=number)
            self.assertEqual(len(load), 2000)
            self.assertGreater(load.size, 2000 * 200)
            with kvd.connect(self.server.address) as other:
                self.assertEqual((other.count(), other["k00007"]), (1, b"old"))
        self.assertEqual(self.db.count(), 2000)
        value = self.db.read("k00007")
        self.assertEqual((value.data, value.meta.flags, value.meta.version), (b"v7" * 200, 7, load.version))
        with self.assertRaises(ValueError):
            load.put("l", "more")

    def test_a_load_that_fails_leaves_nothing(self):
        with self.assertRaises(ZeroDivisionError):
            with self.db.load() as load:
                load.put("k", "v")
                1 / 0
        with self.assertRaises(kvd.InvalidCall) as caught:
            with self.db.load() as load:
                load.put("b", "v")
                load.put("a", "v")
        self.assertIn("entry 2", str(caught.exception))
        with self.assertRaises(kvd.InvalidCall):
            with self.db.load() as load:
                load.put("a", "v", if_absent=True)
        self.assertEqual(self.db.count(), 0)
        with self.db.load() as load:
            with kvd.connect(self.server.address) as other, self.assertRaises(kvd.Busy):
                other.load()

    def test_an_exception_of_a_file_comes_through_the_library(self):
        class Full(io.BytesIO):
            def write(self, data):
                raise OSError("full")

        self.db.put("k", "v" * 100)
        with self.assertRaisesRegex(OSError, "full"):
            self.db.read_into("k", Full())
        self.assertEqual(len(self.db["k"]), 100)

    def test_a_call_within_a_call_is_refused(self):
        db = self.db

        class Nosy(io.BytesIO):
            def write(self, data):
                db.ping()

        self.db.put("k", "v")
        with self.assertRaises(RuntimeError):
            self.db.read_into("k", Nosy())
        self.db.ping()

    # --- connections ---

    def test_threads_take_turns(self):
        def count():
            for _ in range(200):
                self.db.add("n")

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.db["n"], b"800")

    def test_a_pool_lends_connections_to_threads(self):
        with kvd.Pool(self.server.address, minimum=1, maximum=2) as pool:
            def count():
                for _ in range(50):
                    with pool.connection() as db:
                        db.add("n")

            threads = [threading.Thread(target=count) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(self.db["n"], b"300")
            self.assertLessEqual(pool.stats()["connections"], 2)
            with pool.connection() as db, pool.connection():
                with self.assertRaises(kvd.TimedOut):
                    with pool.connection(timeout=0.05):
                        pass
                with self.assertRaises(RuntimeError):
                    pool.close()
            with self.assertRaises(kvd.ConnectionClosed):
                db.ping()
        with self.assertRaises(ValueError):
            pool.stats()

    def test_namespaces_and_options_of_the_connection(self):
        self.connect(namespace="other").put("k", "theirs")
        self.db.put("k", "ours")
        self.assertEqual(self.connect(namespace="other")["k"], b"theirs")
        info = self.connect(client_name="tester", timeout=5, durability=kvd.Durability.SYNCED).server_info()
        self.assertGreater(info.value_max, 0)
        stats = self.db.stats("storage.")
        self.assertGreater(int(stats["storage.commits"]), 0)
        self.assertTrue(all(name.startswith("storage.") for name in stats))
        with self.assertRaises(ValueError):
            kvd.connect("a\0b")

    def test_a_closed_connection_says_so(self):
        with kvd.connect(self.server.address) as db:
            db.ping()
        self.assertTrue(db.closed)
        db.close()
        with self.assertRaises(kvd.ConnectionClosed):
            db.get("k")

    def test_nobody_listening_is_a_connection_error(self):
        with self.assertRaises(ConnectionError) as caught:
            kvd.connect("127.0.0.1:1")
        self.assertIsInstance(caught.exception, kvd.ConnectFailed)
        self.assertIn("127.0.0.1:1", str(caught.exception))
        with self.assertRaises(kvd.ConnectFailed):
            kvd.Pool("127.0.0.1:1", minimum=1)
        with self.assertRaises(kvd.InvalidCall):
            kvd.connect("nonsense")


@unittest.skipUnless(PLAIN, "the library of users has no sanitizer")
class LossTest(unittest.TestCase):
    def test_a_server_that_is_gone_fails_the_read_and_comes_back(self):
        folder = tempfile.mkdtemp(prefix="kvd-loss-")
        self.addCleanup(shutil.rmtree, folder)
        address = "unix:" + folder + "/socket"
        server = kvd_server.start(self, folder=folder, listen=(address,))
        with kvd.connect(address, timeout=5) as db:
            db.put("k", "v", durability=kvd.Durability.SYNCED)
            server.kill()
            with self.assertRaises(ConnectionError):
                db.get("k")
            with self.assertRaises(kvd.KvdError) as caught:
                db.put("k", "w")
            self.assertEqual(caught.exception.outcome, kvd.Outcome.FAILED)
            kvd_server.start(self, folder=folder, listen=(address,))
            self.assertEqual(db.get("k"), b"v")

    def test_a_transaction_ends_with_its_server_and_says_so(self):
        folder = tempfile.mkdtemp(prefix="kvd-loss-")
        self.addCleanup(shutil.rmtree, folder)
        address = "unix:" + folder + "/socket"
        server = kvd_server.start(self, folder=folder, listen=(address,))
        with kvd.connect(address, timeout=5) as db:
            db.put("k", "v", durability=kvd.Durability.SYNCED)
            txn = db.transaction()
            txn.put("k", "w")
            server.kill()
            kvd_server.start(self, folder=folder, listen=(address,))
            for call in (lambda: txn.get("k"), lambda: txn.put("k", "w"), txn.commit):
                with self.assertRaises(kvd.Gone) as caught:
                    call()
                self.assertEqual(caught.exception.outcome, kvd.Outcome.FAILED)
            txn.rollback()
            self.assertEqual(db.get("k"), b"v")

    def test_a_write_without_an_answer_has_an_unknown_outcome(self):
        server = kvd_server.start(self)
        with kvd.connect(server.address, timeout=1) as db:
            server.signal(signal.SIGSTOP)
            try:
                with self.assertRaises(kvd.UnknownOutcome) as caught:
                    db.put("k", "v")
                self.assertEqual(caught.exception.outcome, kvd.Outcome.UNKNOWN)
                with self.assertRaises(TimeoutError):
                    db.get("k")
            finally:
                server.signal(signal.SIGCONT)


@unittest.skipUnless(PLAIN, "the library of users has no sanitizer")
class ExampleTest(unittest.TestCase):
    def test_every_example_runs_to_its_end(self):
        server = kvd_server.start(self)
        examples = glob.glob(ROOT + "/docs/examples/*.py")
        self.assertGreater(len(examples), 0)
        for path in examples:
            done = subprocess.run([sys.executable, path, server.address], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=60,
                                  env=dict(os.environ, PYTHONPATH=ROOT + "/client/python"))
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertIn("example/name = Ada", done.stdout)
            self.assertIn("second put refused", done.stdout)
            self.assertIn("counted to 400", done.stdout)
        with kvd.connect(server.address) as db:
            self.assertEqual(db.stats("storage.snapshots_open"), {"storage.snapshots_open": "0"})

    def test_the_code_of_the_guide_runs(self):
        server = kvd_server.start(self)
        with open(ROOT + "/docs/python.md", encoding="utf-8") as file:
            pieces = re.findall(r"^```python\n(.*?)^```", file.read(), re.M | re.S)
        self.assertGreater(len(pieces), 3)
        place = tempfile.mkdtemp(prefix="kvd-guide-")
        self.addCleanup(shutil.rmtree, place)
        with open(place + "/film.mkv", "wb") as file:
            file.write(os.urandom(3000000))
        program = "\n".join(pieces).replace("127.0.0.1:4411", server.address)
        done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=place,
                              stderr=subprocess.STDOUT, text=True, timeout=60,
                              env=dict(os.environ, PYTHONPATH=ROOT + "/client/python"))
        self.assertEqual(done.returncode, 0, done.stdout)


@unittest.skipUnless(PLAIN, "the library of users has no sanitizer")
class InstalledTest(unittest.TestCase):
    def test_the_installed_package_finds_its_library(self):
        place = tempfile.mkdtemp(prefix="kvd-python-")
        self.addCleanup(shutil.rmtree, place)
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("MAKE", "KVD_LIBRARY", "PYTHON")) and name != "MFLAGS"}
        subprocess.run(["make", "-s", "-C", ROOT, "install", "PREFIX=" + place], env=environment, check=True,
                       stdout=subprocess.DEVNULL)
        (found,) = [path for path, _, files in os.walk(place) if "connection.py" in files]
        program = "import kvd, kvd._library; print(kvd.__file__, kvd._library.lib._name)"
        said = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True,
                              env=dict(environment, PYTHONPATH=os.path.dirname(found))).stdout.split()
        self.assertEqual(said, [found + "/__init__.py", place + "/lib/libkvd.so.0"])


if __name__ == "__main__":
    unittest.main()
