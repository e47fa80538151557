# example.py: what the Python binding can do, in one sitting.
#
#     python3 example.py 127.0.0.1:4411
#
# It uses keys below "example/" and leaves none behind. Exits with 0 if all went as it should.
import sys
import threading

import kvd


def single_keys(db: kvd.Connection) -> None:
    version = db.put("example/name", "Ada", ttl=60, flags=7, checksum=True)
    value = db.read("example/name", verify=True)
    assert value is not None and value.meta.version == version and value.meta.flags == 7
    print("example/name = %s, version %d" % (value.data.decode(), version))


def compare_and_set(db: kvd.Connection) -> None:
    """Replace a value only if nobody else did meanwhile."""
    meta = db.meta("example/name")
    assert meta is not None
    db.put("example/name", "Grace", if_version=meta.version)
    try:
        db.put("example/name", "Edsger", if_version=meta.version)
    except kvd.VersionMismatch as error:
        print("second put refused: %s" % error)
    else:
        raise AssertionError("the second put was not refused")


def one_commit(db: kvd.Connection) -> None:
    with db.snapshot() as before:
        with db.batch() as batch:
            batch.put("example/a", "1")
            batch.put("example/b", "2")
            batch.delete("example/name")
        for key, value in db.scan(prefix="example/", reverse=True):
            print("%s = %s" % (key.decode(), value.decode()))
        assert db.get("example/a", at=before) is None
        assert db.get("example/name", at=before) == b"Grace"
    assert db.count(prefix="example/") == 2


def threads(address: str) -> None:
    with kvd.Pool(address, maximum=3) as pool:
        def count() -> None:
            for _ in range(100):
                with pool.connection() as db:
                    db.add("example/counter")

        started = [threading.Thread(target=count) for _ in range(4)]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()
        with pool.connection() as db:
            print("counted to %d" % int(db["example/counter"]))


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: example.py HOST:PORT | unix:PATH")
    with kvd.connect(sys.argv[1], timeout=5, client_name="example") as db:
        single_keys(db)
        compare_and_set(db)
        one_commit(db)
        threads(sys.argv[1])
        db.delete_prefix("example/")


main()
