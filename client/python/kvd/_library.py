# _library.py: libkvd.so.0 by ctypes: the structs and calls of kvd/kvd.h that this package uses.
"""Each class here has the layout of the struct of the same name in the public headers; a test of kvd
compares them with what a C compiler says."""

from __future__ import annotations

import ctypes
import os
from ctypes import (CFUNCTYPE, POINTER, Structure, c_bool, c_char, c_char_p, c_int, c_int64, c_size_t, c_uint16,
                    c_uint32, c_uint64, c_void_p)

SONAME = "libkvd.so.0"


class kvd_bytes(Structure):
    _fields_ = [("ptr", c_void_p), ("len", c_size_t)]


class kvd_meta(Structure):
    _fields_ = [("version", c_uint64), ("expires_at_ms", c_uint64), ("value_len", c_uint64),
                ("user_flags", c_uint32), ("has_checksum", c_bool), ("checksum", c_uint64)]


class kvd_value(Structure):
    _fields_ = [("data", c_void_p), ("capacity", c_size_t), ("meta", kvd_meta), ("status", c_int)]


class kvd_connect_options(Structure):
    _fields_ = [("timeout_ms", c_uint32), ("client_name", c_char_p), ("namespace_name", c_char_p),
                ("durability", c_int), ("retry_ms", c_uint32)]


class kvd_server_info(Structure):
    _fields_ = [("protocol_version", c_uint16), ("features", c_uint64), ("server_name", c_char * 256),
                ("frame_max", c_uint64), ("key_max", c_uint64), ("value_max", c_uint64),
                ("requests_max", c_uint64), ("mget_keys_max", c_uint64), ("batch_items_max", c_uint64),
                ("batch_bytes_max", c_uint64), ("scan_entries_max", c_uint64),
                ("scan_page_bytes_max", c_uint64), ("transactions_max", c_uint64),
                ("transaction_bytes", c_uint64), ("transaction_age_ms", c_uint64),
                ("transaction_idle_ms", c_uint64), ("memory_bytes", c_uint64), ("durability", c_int)]


class kvd_state(Structure):
    _fields_ = [("snapshot", c_uint64), ("version", c_uint64), ("time_ms", c_uint64),
                ("transaction", c_uint64)]


class kvd_read_options(Structure):
    _fields_ = [("deadline_ms", c_uint32), ("verify", c_bool), ("at", kvd_state)]


class kvd_part(Structure):
    _fields_ = [("offset", c_uint64), ("length", c_uint64)]


class kvd_write_options(Structure):
    _fields_ = [("condition", c_int), ("version", c_uint64), ("ttl_ms", c_uint64), ("expire_at_ms", c_uint64),
                ("user_flags", c_uint32), ("durability", c_int), ("deadline_ms", c_uint32),
                ("transaction", c_uint64), ("checksum", c_bool), ("token", c_void_p)]


class kvd_results(Structure):
    _fields_ = [("values", POINTER(c_int64)), ("room", c_size_t), ("count", c_size_t)]


class kvd_scan_options(Structure):
    _fields_ = [("prefix", kvd_bytes), ("from", kvd_bytes), ("to", kvd_bytes), ("cursor", kvd_bytes),
                ("limit", c_uint64), ("page_entries", c_uint32), ("page_bytes", c_uint32),
                ("deadline_ms", c_uint32), ("at", kvd_state), ("reverse", c_bool), ("keys_only", c_bool),
                ("verify", c_bool)]


class kvd_entry(Structure):
    _fields_ = [("key", kvd_bytes), ("value", kvd_bytes), ("meta", kvd_meta), ("value_left_out", c_bool)]


class kvd_snapshot(Structure):
    _fields_ = [("id", c_uint64), ("version", c_uint64), ("time_ms", c_uint64), ("opened_ms", c_uint64),
                ("deadline_ms", c_uint64), ("owner", c_char_p)]


class kvd_transaction_options(Structure):
    _fields_ = [("read_only", c_bool), ("snapshot", c_uint64), ("lifetime_ms", c_uint64),
                ("deadline_ms", c_uint32)]


class kvd_transaction(Structure):
    _fields_ = [("id", c_uint64), ("version", c_uint64), ("time_ms", c_uint64), ("deadline_ms", c_uint64)]


class kvd_conflict(Structure):
    _fields_ = [("namespace_name", kvd_bytes), ("is_range", c_bool), ("expired", c_bool), ("from", kvd_bytes),
                ("to", kvd_bytes), ("version", c_uint64)]


class kvd_watch_options(Structure):
    _fields_ = [("prefix", kvd_bytes), ("from", kvd_bytes), ("to", kvd_bytes), ("from_version", c_uint64),
                ("from_now", c_bool), ("skip_gaps", c_bool), ("page_bytes", c_uint32), ("snapshot_ms", c_uint32)]


class kvd_watch_change(Structure):
    _fields_ = [("kind", c_int), ("version", c_uint64), ("gap_to", c_uint64), ("snapshot", kvd_snapshot),
                ("time_ms", c_uint64), ("last", c_bool), ("key", kvd_bytes), ("to", kvd_bytes),
                ("meta", kvd_meta), ("value_offset", c_uint64), ("value", kvd_bytes)]


class kvd_pool_options(Structure):
    _fields_ = [("connect", kvd_connect_options), ("connections_min", c_uint32),
                ("connections_max", c_uint32), ("idle_ms", c_uint32), ("check_ms", c_uint32)]


class kvd_pool_stats(Structure):
    _fields_ = [("connections", c_uint32), ("idle", c_uint32), ("waiting", c_uint32), ("lent", c_uint64),
                ("opened", c_uint64)]


STRUCTS = (kvd_bytes, kvd_meta, kvd_value, kvd_connect_options, kvd_server_info, kvd_state, kvd_read_options,
           kvd_part, kvd_write_options, kvd_results, kvd_scan_options, kvd_entry, kvd_snapshot,
           kvd_transaction_options, kvd_transaction, kvd_conflict, kvd_watch_options, kvd_watch_change,
           kvd_pool_options, kvd_pool_stats)

stat_cb = CFUNCTYPE(None, c_char_p, c_char_p, c_void_p)
sink_cb = CFUNCTYPE(c_bool, kvd_bytes, c_void_p)

_db = _handle = c_void_p
_version_out = POINTER(c_uint64)
_read = POINTER(kvd_read_options)
_write = POINTER(kvd_write_options)
_scan = POINTER(kvd_scan_options)

# name: (result, parameters)
_CALLS = {
    "kvd_status_name": (c_char_p, [c_int]),
    "kvd_status_text": (c_char_p, [c_int]),
    "kvd_outcome": (c_int, [c_int]),
    "kvd_value_free": (None, [POINTER(kvd_value)]),
    "kvd_connect": (c_int, [c_char_p, POINTER(kvd_connect_options), POINTER(_db)]),
    "kvd_close": (None, [_db]),
    "kvd_set_timeout": (None, [_db, c_uint32]),
    "kvd_error": (c_char_p, [_db]),
    "kvd_error_detail": (c_uint64, [_db]),
    "kvd_error_item": (c_uint32, [_db]),
    "kvd_server_info": (c_int, [_db, POINTER(kvd_server_info)]),
    "kvd_ping": (c_int, [_db]),
    "kvd_get": (c_int, [_db, kvd_bytes, _read, POINTER(kvd_value)]),
    "kvd_mget": (c_int, [_db, POINTER(kvd_bytes), c_size_t, _read, POINTER(kvd_value)]),
    "kvd_exists": (c_int, [_db, kvd_bytes, _read, _version_out]),
    "kvd_meta": (c_int, [_db, kvd_bytes, _read, POINTER(kvd_meta)]),
    "kvd_get_range": (c_int, [_db, kvd_bytes, POINTER(kvd_part), _read, POINTER(kvd_value)]),
    "kvd_get_stream": (c_int, [_db, kvd_bytes, _read, POINTER(kvd_meta), sink_cb, c_void_p]),
    "kvd_put": (c_int, [_db, kvd_bytes, kvd_bytes, _write, _version_out]),
    "kvd_delete": (c_int, [_db, kvd_bytes, _write, _version_out]),
    "kvd_delete_range": (c_int, [_db, kvd_bytes, kvd_bytes, _write, _version_out]),
    "kvd_delete_prefix": (c_int, [_db, kvd_bytes, _write, _version_out]),
    "kvd_add": (c_int, [_db, kvd_bytes, c_int64, _write, POINTER(c_int64), _version_out]),
    "kvd_append": (c_int, [_db, kvd_bytes, kvd_bytes, _write, POINTER(c_uint64), _version_out]),
    "kvd_touch": (c_int, [_db, kvd_bytes, _write, _version_out]),
    "kvd_persist": (c_int, [_db, kvd_bytes, _write, _version_out]),
    "kvd_load_begin": (c_int, [_db, POINTER(_handle)]),
    "kvd_load_put": (c_int, [_handle, kvd_bytes, kvd_bytes, _write]),
    "kvd_load_entries": (c_uint64, [_handle]),
    "kvd_load_bytes": (c_uint64, [_handle]),
    "kvd_load_commit": (c_int, [_handle, _version_out]),
    "kvd_load_destroy": (None, [_handle]),
    "kvd_upload_begin": (c_int, [_db, kvd_bytes, POINTER(_handle)]),
    "kvd_upload_write": (c_int, [_handle, kvd_bytes]),
    "kvd_upload_commit": (c_int, [_handle, _write, _version_out]),
    "kvd_upload_destroy": (None, [_handle]),
    "kvd_batch_create": (c_int, [POINTER(_handle)]),
    "kvd_batch_destroy": (None, [_handle]),
    "kvd_batch_put": (c_int, [_handle, kvd_bytes, kvd_bytes, _write]),
    "kvd_batch_delete": (c_int, [_handle, kvd_bytes, _write]),
    "kvd_batch_delete_range": (c_int, [_handle, kvd_bytes, kvd_bytes]),
    "kvd_batch_add": (c_int, [_handle, kvd_bytes, c_int64, _write]),
    "kvd_batch_append": (c_int, [_handle, kvd_bytes, kvd_bytes, _write]),
    "kvd_batch_touch": (c_int, [_handle, kvd_bytes, _write]),
    "kvd_batch_persist": (c_int, [_handle, kvd_bytes, _write]),
    "kvd_batch_count": (c_uint32, [_handle]),
    "kvd_batch_bytes": (c_size_t, [_handle]),
    "kvd_batch_clear": (None, [_handle]),
    "kvd_batch_commit_results": (c_int, [_db, _handle, _write, POINTER(kvd_results), _version_out]),
    "kvd_scan_open": (c_int, [_db, _scan, POINTER(_handle)]),
    "kvd_scan_next": (c_int, [_handle, POINTER(kvd_entry)]),
    "kvd_scan_close": (None, [_handle]),
    "kvd_watch_open": (c_int, [_db, POINTER(kvd_watch_options), POINTER(_handle)]),
    "kvd_watch_next": (c_int, [_handle, c_uint32, POINTER(kvd_watch_change)]),
    "kvd_watch_version": (c_uint64, [_handle]),
    "kvd_watch_close": (None, [_handle]),
    "kvd_count": (c_int, [_db, _scan, POINTER(c_uint64)]),
    "kvd_snapshot_open": (c_int, [_db, c_uint64, POINTER(kvd_snapshot)]),
    "kvd_snapshot_close": (c_int, [_db, c_uint64]),
    "kvd_begin": (c_int, [_db, POINTER(kvd_transaction_options), POINTER(kvd_transaction)]),
    "kvd_commit": (c_int, [_db, c_uint64, _write, _version_out]),
    "kvd_rollback": (c_int, [_db, c_uint64]),
    "kvd_conflict": (c_int, [_db, POINTER(kvd_conflict)]),
    "kvd_stats": (c_int, [_db, c_char_p, stat_cb, c_void_p]),
    "kvd_pool_create": (c_int, [c_char_p, POINTER(kvd_pool_options), POINTER(_handle)]),
    "kvd_pool_destroy": (None, [_handle]),
    "kvd_pool_borrow": (c_int, [_handle, c_uint32, POINTER(_db)]),
    "kvd_pool_return": (None, [_handle, _db]),
    "kvd_pool_error": (None, [_handle, c_char_p, c_size_t]),
    "kvd_pool_stats": (None, [_handle, POINTER(kvd_pool_stats)]),
}


def _places() -> list[str]:
    """Where the library may be: KVD_LIBRARY alone if set; beside this installation; where the system looks."""
    named = os.environ.get("KVD_LIBRARY")
    if named:
        return [named]
    # PREFIX/lib/pythonX/dist-packages/kvd/_library.py -> PREFIX/lib
    lib = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
    beside = os.path.join(lib, SONAME)
    return [beside, SONAME] if os.path.exists(beside) else [SONAME]


def _load() -> ctypes.CDLL:
    problems = []
    for place in _places():
        try:
            library = ctypes.CDLL(place)
        except OSError as problem:
            problems.append(str(problem))
            continue
        for name, (result, parameters) in _CALLS.items():
            call = getattr(library, name)
            call.restype = result
            call.argtypes = parameters
        return library
    raise ImportError("kvd needs %s (set KVD_LIBRARY to its path): %s" % (SONAME, "; ".join(problems)))


lib = _load()
