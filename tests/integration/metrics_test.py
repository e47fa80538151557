#!/usr/bin/env python3
# metrics_test.py: metrics over HTTP, as a monitoring program reads them, and their table in docs/metrics.md.
#
# After a change of the names, run it with KVD_UPDATE=1: it writes the table anew, for you to read and commit.
import http.client
import os
import re
import socket
import unittest

from kvd_server import SharedServerTest, Server, get, put, start

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "metrics.md")
HEADING = "## The names\n"
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"'


class Family:
    def __init__(self, name, text):
        self.name, self.help, self.type, self.samples = name, text, None, {}


def parse(text):
    """{name: Family} of the text format 0.0.4; what is not well made fails."""
    assert text.endswith("\n"), text[-100:]
    families, family = {}, None
    for line in text[:-1].split("\n"):
        comment = re.fullmatch(r"# (HELP|TYPE) (%s) (.+)" % NAME, line)
        if comment and comment[1] == "HELP":
            assert comment[2] not in families, "two of " + line
            family = families[comment[2]] = Family(comment[2], comment[3])
        elif comment:
            assert family.name == comment[2] and not family.samples and family.type is None, line
            assert comment[3] in ("counter", "gauge", "histogram"), line
            family.type = comment[3]
        else:
            add_sample(family, line)
    return families


def add_sample(family, line):
    sample = re.fullmatch(r"(%s)(?:\{(.*)\})? ([0-9.e+-]+|\+Inf)" % NAME, line)
    assert sample, line
    suffixes = ("_bucket", "_sum", "_count") if family.type == "histogram" else ("",)
    assert sample[1] in [family.name + suffix for suffix in suffixes], line
    labels = re.findall(LABEL, sample[2] or "")
    assert ",".join('%s="%s"' % label for label in labels) == (sample[2] or ""), line
    key = (sample[1], tuple(sorted(labels)))
    assert key not in family.samples, "twice: " + line
    family.samples[key] = float(sample[3])


def table(families):
    """The rows of docs/metrics.md."""
    lines = ["", "| name | labels | type | what it is |", "|---|---|---|---|"]
    for family in families.values():
        labels = sorted({label for _, pairs in family.samples for label, _ in pairs} - {"le"})
        lines.append("| `%s` | %s | %s | %s |" % (family.name, ", ".join("`%s`" % label for label in labels),
                                                  family.type, family.help))
    return "\n".join(lines) + "\n"


def http_address(server):
    match = re.search(r"metrics over HTTP address=(\S+):(\d+)", server.output())
    return match[1].strip("[]"), int(match[2])


def ask(server, path, method="GET"):
    connection = http.client.HTTPConnection(*http_address(server), timeout=20)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read().decode(), response.headers
    finally:
        connection.close()


class MetricsTest(SharedServerTest):
    options = ("--set", "metrics.listen=127.0.0.1:0")

    def families(self):
        code, text, headers = ask(self.server, "/metrics")
        self.assertEqual(code, 200)
        self.assertEqual(headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        return parse(text)

    def sample(self, name, **labels):
        return self.families()[name].samples[name, tuple(sorted(labels.items()))]

    def test_names_types_and_units_follow_the_rules(self):
        for family in self.families().values():
            with self.subTest(family.name):
                self.assertRegex(family.name, r"^kvd_[a-z0-9_]+$")
                self.assertTrue(family.samples)
                self.assertEqual(family.type == "counter", family.name.endswith("_total"))
                self.assertRegex(family.help, r"^[A-Z1].*\.$")
                self.assertNotRegex(family.name, r"_(ms|us|kib|mib|percent)(_|$)")

    def test_docs_list_exactly_the_names_that_are_served(self):
        with open(DOCS) as file:
            text = file.read()
        head, heading, written = text.partition(HEADING)
        self.assertTrue(heading)
        made = table(self.families())
        if os.environ.get("KVD_UPDATE"):
            with open(DOCS, "w") as file:
                file.write(head + heading + made)
            return
        advice = "run this test with KVD_UPDATE=1, read and commit docs/metrics.md"
        self.assertEqual(set(written.splitlines()) ^ set(made.splitlines()), set(), advice)
        self.assertTrue(written == made, advice)

    def test_counts_follow_what_clients_do(self):
        before = self.sample("kvd_requests_total", command="get")
        sent = self.sample("kvd_sent_bytes_total")
        self.client.ask(put(self.key, b"value"))
        for _ in range(5):
            self.client.ask(get(self.key))
        self.assertEqual(self.sample("kvd_requests_total", command="get"), before + 5)
        self.assertGreater(self.sample("kvd_sent_bytes_total"), sent + 5 * 16)
        self.assertGreaterEqual(self.sample("kvd_version", mark="visible"), 1)
        self.assertGreaterEqual(self.sample("kvd_connections"), 1)

    def test_every_figure_of_stats_that_is_not_moving_is_the_same_here(self):
        stats = self.client.stats()
        self.assertEqual(self.sample("kvd_client_memory_limit_bytes"), stats["server.client_memory_limit_bytes"])
        self.assertEqual(self.sample("kvd_start_time_seconds"), stats["server.started_at_ms"] / 1000)
        self.assertEqual(self.sample("kvd_level_tables", level="6"), stats["storage.level_6_tables"])

    def test_durations_are_cumulative_and_count_every_request(self):
        self.client.ask(put(self.key, b"value"))
        family = self.families()["kvd_request_duration_seconds"]
        counts = [value for (name, labels), value in family.samples.items()
                  if name.endswith("_bucket") and ("command", "put") in labels]
        self.assertEqual(counts, sorted(counts))
        total = family.samples["kvd_request_duration_seconds_count", (("command", "put"),)]
        self.assertEqual((counts[-1], total), (self.sample("kvd_requests_total", command="put"),) * 2)
        self.assertGreater(family.samples["kvd_request_duration_seconds_sum", (("command", "put"),)], 0)

    def test_healthy_and_other_paths_and_methods(self):
        self.assertEqual(ask(self.server, "/healthz")[:2], (200, "ok\n"))
        self.assertEqual(ask(self.server, "/metrics/more")[0], 404)
        code, _, headers = ask(self.server, "/metrics", "POST")
        self.assertEqual((code, headers["Allow"]), (405, "GET, HEAD"))
        self.assertEqual(ask(self.server, "/healthz", "HEAD")[:2], (200, ""))


class MetricsStartTest(unittest.TestCase):
    def refused(self, *options):
        server = Server(self, *options)
        self.assertNotEqual(server.wait(), 0)
        return server.output()

    def test_without_an_address_nobody_listens(self):
        self.assertNotIn("metrics over HTTP", start(self).output())

    def test_addresses_that_are_refused(self):
        for address, reason in (("0.0.0.0:0", "can be reached from other machines"),
                                ("unix:/tmp/kvd.sock", "HTTP is served on HOST:PORT alone"),
                                ("nonsense", "expected HOST:PORT")):
            with self.subTest(address):
                output = self.refused("--set", "metrics.listen=" + address)
                self.assertIn("metrics.listen: ", output)
                self.assertIn(reason, output)

    def test_an_address_in_use_ends_the_start_with_its_name(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            address = "127.0.0.1:%d" % other.getsockname()[1]
            output = self.refused("--set", "metrics.listen=" + address)
        self.assertIn(address, output)
        self.assertIn("metrics.listen", output)

    def test_both_families_of_addresses(self):
        server = start(self, "--set", "metrics.listen=[::1]:0")
        self.assertEqual(ask(server, "/healthz")[0], 200)

    def test_clients_that_stay_do_not_hold_up_a_stop(self):
        server = start(self, "--set", "metrics.listen=127.0.0.1:0")
        with socket.create_connection(http_address(server), 20) as idle:
            idle.sendall(b"GET /met")
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
