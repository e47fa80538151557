# kvcli_bench_test.py: `kvcli bench` against a server: each workload does what it says, and the
# store has afterwards what the report counts.
import json
import os
import signal
import subprocess
import time
import unittest

from kvcli_case import KVCLI, KvcliCase
from terminal import Terminal

LOADED = 2000
REQUESTS = 6000
SMALL = ("--keys", LOADED, "-v", 20, "-c", 6, "--threads", 2, "-P", 4, "-N", REQUESTS, "-d",
         "memory")

# What YCSB says of each workload, in percent.
MIXES = {
    "A": {"gets": 50, "puts": 50},
    "B": {"gets": 95, "puts": 5},
    "C": {"gets": 100},
    "D": {"gets": 95, "inserts": 5},
    "E": {"scans": 95, "inserts": 5},
    "F": {"gets": 50, "modifies": 50},
}


class KvcliBenchTest(KvcliCase):
    def bench(self, *words):
        return self.json("bench", *map(str, words))

    def workload(self, letter):
        """Runs it on a namespace of its own, and checks what holds for all."""
        namespace = "ycsb" + letter
        result = self.bench("-n", namespace, "--workload", letter, "--preload", *SMALL)
        run = result["run"]
        self.assertEqual(result["workload"], letter)
        self.assertEqual(result["load"]["puts"], LOADED)
        self.assertEqual((run["requests"], run["misses"], run["failures"]), (REQUESTS, 0, 0))
        for kind in ("gets", "puts", "inserts", "scans", "modifies"):
            share = 100 * run[kind] / REQUESTS
            self.assertAlmostEqual(share, MIXES[letter].get(kind, 0), delta=3, msg=kind)
            self.assertEqual(run[kind] > 0, kind in MIXES[letter], kind)
        count = int(self.done("-n", namespace, "count"))
        self.assertEqual(count, LOADED + run["inserts"])
        self.done("namespace", "drop", namespace)
        return result

    def served(self, name):
        return int(self.json("stats", "server")["server.requests_" + name])

    def test_half_the_requests_of_workload_a_are_updates(self):
        run = self.workload("A")["run"]
        self.assertLessEqual(run["put_us"]["p50"], run["put_us"]["p99.9"])
        self.assertLessEqual(run["put_us"]["p99.9"], run["put_us"]["max"])

    def test_workload_b_updates_a_little(self):
        self.workload("B")

    def test_workload_c_only_reads(self):
        self.workload("C")

    def test_workload_d_reads_the_latest_keys_and_never_misses(self):
        self.assertEqual(self.workload("D")["distribution"], "latest")

    def test_workload_e_scans_fifty_entries_on_average(self):
        before = self.served("scan")
        run = self.workload("E")["run"]
        self.assertEqual(self.served("scan") - before, run["scans"])
        self.assertAlmostEqual(run["entries"] / run["scans"], 50.5, delta=4)

    def test_workload_f_writes_what_it_has_read(self):
        before = self.served("get"), self.served("put")
        run = self.workload("F")["run"]
        gets, puts = self.served("get") - before[0], self.served("put") - before[1]
        self.assertEqual((gets, puts), (REQUESTS, LOADED + run["modifies"]))
        self.assertGreater(run["modify_us"]["p50"], run["get_us"]["p50"] / 2)

    def test_a_workload_may_have_another_distribution(self):
        result = self.bench("--preload", "-w", "f", "--distribution", "uniform", *SMALL)
        self.assertEqual((result["distribution"], result["mix"]["modify"]), ("uniform", 50))
        self.assertEqual(result["run"]["misses"], 0)

    def test_the_report_for_people_names_the_workload_and_its_kinds(self):
        text = self.done("bench", "--preload", "-w", "E", *map(str, SMALL)).decode()
        self.assertIn("5% inserts, 95% scans (workload E)", text)
        self.assertIn("  scan us:", text)
        self.assertRegex(text, r"entries scanned \d+\n")

    # --- a rate

    def test_requests_of_a_rate_are_all_sent_in_their_time(self):
        for _ in range(5):
            run = self.bench("-r", 0, "-c", 7, "-S", "1s", "--rate", 700, "-d", "memory")["run"]
            self.assertEqual(run["puts"] + run["unsent"], 700)
            if run["unsent"] < 140:  # 0, unless the machine is busy with other things
                break
        self.assertLess(run["unsent"], 140)

    def test_time_that_the_server_stands_still_counts_in_every_latency(self):
        pid = self.server.process.pid
        self.begin_counting()
        bench = self.start("bench", "-r", "0", "-c", "2", "-S", "2s", "--rate", "1000", "-d",
                           "memory")
        self.await_requests(400)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.6)
        os.kill(pid, signal.SIGCONT)
        run = self.end(bench)["run"]
        self.assertGreater(run["puts"] + run["unsent"], 1900)
        self.assertGreater(run["put_us"]["max"], 400000)
        self.assertGreater(run["put_us"]["p90"], 100000)  # not only of two requests, one a connection

    def test_what_a_slow_server_leaves_no_time_for_is_reported(self):
        run = self.bench("--preload", "-k", 100, "-c", 1, "-S", "1s", "--rate", 10000000)["run"]
        self.assertGreater(run["unsent"], 1000)
        self.assertAlmostEqual((run["unsent"] + run["gets"]) / 1e7, 1, delta=0.15)
        self.assertLess(run["seconds"], 10)

    # --- signals, and a terminal

    def start(self, *words):
        env = dict(os.environ, KVD_SERVER=self.server.address)
        return subprocess.Popen([KVCLI, "--json", *words], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=env)

    def end(self, bench, code=0):
        out, error = bench.communicate(timeout=60)
        self.assertEqual((bench.returncode, error), (code, b""))
        return json.loads(out)

    def requests(self):
        return self.served("get") + self.served("put")

    def begin_counting(self):
        self.counted = self.requests()

    def await_requests(self, count):
        """Waits until so many more were served."""
        deadline = time.monotonic() + 30
        while self.requests() < self.counted + count:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)

    def interrupted(self, number, *words):
        self.begin_counting()
        bench = self.start("bench", "-c", "3", "--threads", "2", *words)
        self.await_requests(1)
        bench.send_signal(number)
        result = self.end(bench)
        self.assertIs(result["interrupted"], True)
        self.assertEqual((result["run"]["failures"]), 0)
        return result

    def test_a_signal_ends_it_with_the_results_so_far(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            run = self.interrupted(number, "-S", "1h", "-r", "50", "-d", "memory")["run"]
            self.assertGreater(run["gets"], 0)
            self.assertLess(run["seconds"], 30)

    def test_a_signal_ends_it_while_it_waits_for_the_next_request(self):
        run = self.interrupted(signal.SIGINT, "-S", "1h", "--rate", "1")["run"]
        self.assertLess(run["seconds"], 30)

    def test_a_signal_while_loading_leaves_the_run_out(self):
        result = self.interrupted(signal.SIGINT, "--preload", "-k", "1000000000", "-n", "scratch")
        self.assertGreater(result["load"]["puts"], 0)
        self.assertEqual(result["run"]["requests"], 0)
        self.done("namespace", "drop", "scratch")

    def test_a_terminal_shows_a_line_each_second(self):
        env = dict(os.environ, TERM="xterm", KVD_SERVER=self.server.address)
        terminal = Terminal([KVCLI, "bench", "-S", "1h", "-c", "2"], env)
        self.addCleanup(terminal.close)
        terminal.expect(r"run: 1 s of 3600, \d+ requests, \d+/s now, \d+/s on average")
        terminal.expect(r"run: 2 s of 3600, ")
        terminal.type("\x03")
        terminal.expect(b"interrupted")
        self.assertEqual(terminal.finish(), 0)

    def test_scans_are_refused_where_they_cannot_be_asked_for(self):
        error = self.refused(2, "bench", "--protocol", "redis", "--workload", "E")
        self.assertIn("scans", error)


if __name__ == "__main__":
    unittest.main()
