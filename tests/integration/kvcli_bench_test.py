# kvcli_bench_test.py: `kvcli bench` against a server: each workload does what it says, and the
# store has afterwards what the report counts.
import unittest

from kvcli_case import KvcliCase

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

    def test_scans_are_refused_where_they_cannot_be_asked_for(self):
        error = self.refused(2, "bench", "--protocol", "redis", "--workload", "E")
        self.assertIn("scans", error)


if __name__ == "__main__":
    unittest.main()
