#!/usr/bin/env python3
# server_retry_test.py: retry tokens, byte by byte: a write that is sent again on whatever connection is done once.
import os
import signal
import struct
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from kvd_server import *  # noqa: E402,F403

FLAG_RETRY_TOKEN = 1 << 2
UNKNOWN = 0x200
ROUND = 1024  # sequences that are remembered of a client


class TokenTest(SharedServerTest):
    def setUp(self):
        super().setUp()
        self.id16 = os.urandom(16)
        self.sequence = 0

    def token(self, sequence=None):
        if sequence is None:
            self.sequence += 1
            sequence = self.sequence
        return self.id16 + number(sequence)

    def tokened(self, opcode, body, token, flags=0, before=b"", behind=b""):
        """`before` and `behind` are the fields of flags below and above the token's."""
        return frame(opcode, before + token + behind + body, flags=flags | FLAG_RETRY_TOKEN)

    def add(self, token, key=None, amount=1, durability=LOGGED):
        return self.tokened(ADD, struct.pack("<q", amount) + (key or self.key), token, FLAG_DURABILITY, durability)

    def elsewhere(self, data):
        """The answer of another connection."""
        client = self.server.client()
        try:
            return client.ask(data)
        finally:
            client.close()

    def same(self, first, again):
        self.assertEqual((again.status, again.flags, again.body), (first.status, first.flags, first.body))

    def twice(self, data, between=None):
        first = self.client.ask(data)
        self.assertEqual(first.status, OK, first.body)
        if between:
            self.assertEqual(self.client.ask(between).status, OK)
        self.same(first, self.elsewhere(data))
        return first

    def value(self):
        reply = self.client.ask(get(self.key))
        return reply.value if reply.status == OK else reply.status


class OnceTest(TokenTest):
    def test_server_offers_tokens(self):
        self.assertTrue(struct.unpack_from("<HQ", self.client.hello.body)[1] & FLAG_RETRY_TOKEN)

    def test_addition_and_append_give_their_first_result(self):
        self.twice(self.add(self.token()), between=self.add(self.token(), amount=10))
        self.assertEqual(self.value(), b"11")
        self.twice(self.tokened(APPEND, block(self.key) + b"xy", self.token()))
        self.assertEqual(self.value(), b"11xy")

    def test_put_and_delete_do_not_undo_what_came_after(self):
        self.twice(self.tokened(PUT, bytes(4) + block(self.key) + b"old", self.token()), put(self.key, b"new"))
        self.assertEqual(self.value(), b"new")
        self.twice(self.tokened(DELETE, self.key, self.token()), put(self.key, b"back"))
        self.assertEqual(self.value(), b"back")
        self.twice(self.tokened(DELETE_RANGE, bounds(self.key, self.key + b"\0"), self.token()), put(self.key, b"b"))
        self.assertEqual(self.value(), b"b")

    def test_touch_persist_and_a_key_that_has_gone_meanwhile(self):
        self.client.ask(put(self.key, b"v"))
        touch = self.tokened(TOUCH, self.key, self.token(), FLAG_TTL, behind=number(3600000))
        self.twice(touch)
        self.twice(self.tokened(PERSIST, self.key, self.token()), between=frame(DELETE, self.key))

    def test_batch_with_results(self):
        batch = (varint(3) + b"\4\0" + block(self.key) + struct.pack("<q", 5) + b"\1\0" + block(self.key + b"2") +
                 block(b"v") + b"\4\0" + block(self.key) + struct.pack("<q", -7))
        self.twice(self.tokened(BATCH, batch, self.token()))
        self.assertEqual(self.value(), b"-2")

    def test_namespace_is_made_and_dropped_once(self):
        make = block(self.key[-200:]) + struct.pack("<QQI", 1 << 20, 0, 0)
        self.twice(self.tokened(NAMESPACE_CREATE, make, self.token()))
        self.twice(self.tokened(NAMESPACE_DROP, self.key[-200:], self.token()))
        again = self.client.ask(self.tokened(NAMESPACE_DROP, self.key[-200:], self.token()))
        self.assertEqual((again.status, again.text), (NOT_FOUND, "no such namespace"))

    def test_rewind_tells_the_first_number_of_keys(self):
        space = block(self.key[-100:])

        def in_space(opcode, body, flags=0, fields=b""):
            return frame(opcode, fields + space + body, flags=flags | FLAG_NAMESPACE)
        self.client.ask(frame(NAMESPACE_CREATE, space + struct.pack("<QQI", 0, 3600000, 0)))
        version = self.client.ask(in_space(PUT, bytes(4) + block(b"a") + b"1")).version
        self.client.ask(in_space(PUT, bytes(4) + block(b"b") + b"1"))
        self.client.ask(in_space(PUT, bytes(4) + block(b"a") + b"2"))
        rewind = in_space(REWIND, state(AT_VERSION, version) + bounds(), FLAG_RETRY_TOKEN, self.token())
        first = self.client.ask(rewind)
        self.assertEqual((first.status, first.number), (OK, 2), first.body)
        self.same(first, self.elsewhere(rewind))

    def test_upload_is_committed_once_though_it_ended_with_its_connection(self):
        client = self.server.client()
        upload = client.ask(frame(UPLOAD_BEGIN, self.key)).version
        client.ask(frame(UPLOAD_DATA, number(upload) + number(0) + b"large"))
        commit = self.tokened(UPLOAD_COMMIT, number(upload) + bytes(4), self.token())
        first = client.ask(commit)
        self.assertEqual(first.status, OK, first.body)
        client.close()
        self.same(first, self.client.ask(commit))
        strange = self.tokened(UPLOAD_COMMIT, number(upload) + bytes(4), self.token())
        reply = self.client.ask(strange)
        self.assertEqual((reply.status, reply.text), (NOT_FOUND, "this connection has no such upload"))

    def test_refusal_is_remembered(self):
        self.client.ask(put(self.key, b"v"))
        put_new = self.tokened(PUT, bytes(4) + block(self.key) + b"mine", self.token(), FLAG_CONDITION, behind=b"\1")
        first = self.client.ask(put_new)
        self.assertEqual(first.status, STATUS_EXISTS)
        self.client.ask(frame(DELETE, self.key))
        self.same(first, self.elsewhere(put_new))
        self.assertEqual(self.value(), NOT_FOUND)

    def test_refusal_in_a_namespace_that_was_not_there_is_remembered(self):
        space = block(b"none-" + self.key[-100:])

        def in_space(opcode, body, flags, fields):
            return frame(opcode, fields + space + body, flags=flags | FLAG_NAMESPACE)
        touch = in_space(TOUCH, b"k", FLAG_RETRY_TOKEN | FLAG_TTL, self.token() + number(60000))
        self.assertEqual(self.client.ask(touch).status, ABSENT)
        self.assertEqual(self.client.ask(in_space(PUT, bytes(4) + block(b"k") + b"v", 0, b"")).status, OK)
        self.assertEqual(self.elsewhere(touch).status, ABSENT)

    def test_token_of_another_request_is_refused(self):
        token = self.token()
        self.assertEqual(self.client.ask(self.add(token)).status, OK)
        self.assertEqual(self.client.ask(self.tokened(DELETE, self.key, token)).status, INVALID)
        self.assertEqual(self.value(), b"1")

    def test_reads_have_no_token(self):
        reply = self.client.ask(self.tokened(GET, self.key, self.token()))
        self.assertIn(reply.status, (INVALID, UNSUPPORTED))

    def test_sequence_older_than_a_round_is_unknown(self):
        for sequence in (5, 5 + ROUND):
            self.assertEqual(self.client.ask(self.add(self.token(sequence))).status, OK)
        self.assertEqual(self.client.ask(self.add(self.token(5))).status, UNKNOWN)
        self.assertEqual(self.value(), b"2")


class TransactionTest(TokenTest):
    """TRANSACT and TXN_COMMIT."""

    def begin(self, client):
        return struct.unpack_from("<Q", client.ask(frame(TXN_BEGIN, b"\0" + number(0))).body)[0]

    def put_inside(self, client, txn, key, value):
        reply = client.ask(frame(PUT, number(txn) + bytes(4) + block(key) + value, flags=FLAG_TRANSACTION))
        self.assertEqual(reply.status, OK, reply.body)

    def transact(self, token, comparison, items, others):
        """With one comparison and one item in each list."""
        return self.tokened(TRANSACT, b"\1" + comparison + b"\1" + items + b"\1" + others, token)

    def key_is_absent(self):
        return b"\1\2" + block(self.key)  # presence, different

    def item_put(self, value):
        return b"\1\0" + block(self.key) + block(value)

    def item_get(self):
        return b"\x08\0" + block(self.key)

    def test_decision_is_made_once_and_answered_as_it_was(self):
        decide = self.transact(self.token(), self.key_is_absent(), self.item_put(b"mine"), self.item_get())
        self.twice(decide)  # the second time, the key would be there
        self.assertEqual(self.value(), b"mine")

    def test_decision_that_wrote_nothing_is_answered_as_it_was(self):
        self.client.ask(put(self.key, b"there"))
        decide = self.transact(self.token(), self.key_is_absent(), self.item_put(b"mine"), self.item_get())
        first = self.client.ask(decide)
        self.assertEqual(first.status, OK, first.body)
        self.assertIn(b"there", first.body)
        self.client.ask(frame(DELETE, self.key))
        self.same(first, self.elsewhere(decide))
        self.assertEqual(self.value(), NOT_FOUND)

    def test_repeat_has_its_own_id(self):
        token = self.token()
        decide = self.transact(token, self.key_is_absent(), self.item_put(b"mine"), self.item_get())
        self.client.ask(decide)
        other = decide[:8] + struct.pack("<I", 77) + decide[12:]
        self.assertEqual(self.client.ask(other).id, 77)

    def test_items_that_cannot_be_done_again_are_answered_as_they_were(self):
        add = bytes([4, 0]) + block(self.key) + struct.pack("<q", 1)
        decide = self.transact(self.token(), self.key_is_absent(), add, add)
        self.twice(decide, between=put(self.key, b"no number"))
        self.assertEqual(self.value(), b"no number")
        refused = self.transact(self.token(), self.key_is_absent(), add, add)
        first = self.client.ask(refused)
        self.assertEqual((first.status, first.item), (INVALID, 0), first.body)
        self.client.ask(put(self.key, b"5"))
        self.assertEqual(self.elsewhere(refused).status, INVALID)
        self.assertEqual(self.value(), b"5")

    def test_token_of_a_plain_write_decides_nothing(self):
        token = self.token()
        self.client.ask(self.tokened(PUT, bytes(4) + block(self.key + b"2") + b"v", token))
        decide = self.transact(token, self.key_is_absent(), self.item_put(b"mine"), self.item_get())
        self.assertEqual(self.client.ask(decide).status, INVALID)
        self.assertEqual(self.value(), NOT_FOUND)

    def test_commit_is_found_though_its_transaction_ended_with_the_connection(self):
        client = self.server.client()
        txn = self.begin(client)
        self.put_inside(client, txn, self.key, b"v")
        commit = self.tokened(TXN_COMMIT, number(txn), self.token())
        first = client.ask(commit)
        self.assertEqual(first.status, OK, first.body)
        self.same(first, client.ask(commit))
        client.close()
        self.same(first, self.client.ask(commit))

    def test_commit_that_was_asked_for_too_early_is_not_done_any_more(self):
        client = self.server.client()
        txn = self.begin(client)
        self.put_inside(client, txn, self.key, b"v")
        commit = self.tokened(TXN_COMMIT, number(txn), self.token())
        asked = self.client.ask(commit)
        self.assertEqual((asked.status, asked.text), (GONE, "this connection has no such transaction"))
        self.assertEqual(client.ask(commit).status, GONE)
        client.close()
        self.assertEqual(self.value(), NOT_FOUND)

    def test_conflict_is_remembered(self):
        client = self.server.client()
        txn = self.begin(client)
        client.ask(frame(GET, number(txn) + self.key, flags=FLAG_TRANSACTION))
        self.put_inside(client, txn, self.key, b"v")
        self.client.ask(put(self.key, b"other"))
        commit = self.tokened(TXN_COMMIT, number(txn), self.token())
        first = client.ask(commit)
        again = self.client.ask(commit)
        self.assertEqual((first.status, again.status), (CONFLICT, CONFLICT))
        self.assertEqual(first.detail, again.detail)
        client.close()

    def test_decisions_from_all_sides_are_made_once_each(self):
        count, sides = 60, 4
        add = bytes([4, 0]) + block(self.key) + struct.pack("<q", 1)
        decisions = [self.transact(self.token(), self.key_is_absent(), add, add) for _ in range(count)]
        answers = [None] * sides

        def send(place):
            client = self.server.client()
            client.send(b"".join(decisions))
            answers[place] = [(reply.status, reply.body) for reply in client.replies(count)]
            client.close()
        threads = [threading.Thread(target=send, args=(place,)) for place in range(sides)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([status for status, _ in answers[0]], [OK] * count)
        self.assertEqual(answers, [answers[0]] * sides)
        self.assertEqual(self.value(), str(count).encode())

    def test_write_inside_has_no_token(self):
        txn = self.begin(self.client)
        reply = self.client.ask(frame(DELETE, self.token() + number(txn) + self.key,
                                      flags=FLAG_TRANSACTION | FLAG_RETRY_TOKEN))
        self.assertEqual((reply.status, reply.text), (INVALID, "a write inside a transaction has no retry token"))


class CutTest(TokenTest):
    """A client that sends its addition again whenever its connection was cut before the answer came."""

    def check(self, sums):
        self.assertEqual(sums, list(range(1, len(sums) + 1)))
        self.assertEqual(self.value(), str(len(sums)).encode())

    def test_cut_at_every_byte_of_the_request(self):
        sums = []
        for sent in range(len(hello() + self.add(self.token(0))) + 1):
            data = self.add(self.token())
            client = self.server.client(greet=False)
            client.send((hello() + data)[:sent])
            client.close()
            sums.append(self.elsewhere(data).number)
        self.check(sums)

    def test_cut_at_every_byte_of_the_answer(self):
        sums = []
        for received in range(16 + 16 + 1):
            data = self.add(self.token())
            client = self.server.client()
            client.send(data)
            if received:
                client.take(received)
            client.close()
            sums.append(self.elsewhere(data).number)
        self.check(sums)

    def test_copies_on_many_connections_at_once(self):
        clients = [self.server.client() for _ in range(8)]
        data = [self.add(self.token()) for _ in range(100)]
        sums = [None] * len(clients)

        def send(place):
            clients[place].send(b"".join(data))
            sums[place] = [reply.number for reply in clients[place].replies(len(data))]
        threads = [threading.Thread(target=send, args=(place,)) for place in range(len(clients))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for client in clients:
            client.close()
        self.check(sums[0])
        self.assertEqual(sums, [sums[0]] * len(clients))

    def test_kill_of_the_server_between_the_copies(self):
        server = start(self)
        sums = []
        for answered in (False, True, False, True):
            data = self.add(self.token(), durability=SYNCED)
            client = server.client()
            client.send(data)
            if answered:
                client.reply()
            server.kill()
            client.close()
            server = start(self, folder=server.folder)
            client = server.client()
            sums.append(client.ask(data).number)
            self.assertEqual(client.ask(data).number, sums[-1])
            client.close()
        self.assertEqual(sums, [1, 2, 3, 4])
        server.stop()


if __name__ == "__main__":
    unittest.main()
