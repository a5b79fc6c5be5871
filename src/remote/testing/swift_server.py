#!/usr/bin/python3
"""OpenStack Swift with its S3 interface, all of it in one process: swift_server.py PORT FOLDER.

Debian's packages swift-proxy, -account, -container and -object, as they are: the four servers on
ports of 127.0.0.1, one copy of everything, rings and data in FOLDER. Needs no root and no
configuration under /etc. The user is `test:tester`, who owns the account, with the key `testing`.
"""

import json
import os
import sys
from time import monotonic as now

import eventlet

eventlet.monkey_patch()

import eventlet.wsgi  # noqa: E402
from swift.common import utils  # noqa: E402

PORT, FOLDER = int(sys.argv[1]), sys.argv[2]
os.makedirs(os.path.join(FOLDER, "data", "d1"), exist_ok=True)

# The tests end the process, not the machine: what was written is there all the same.
os.fsync = os.fdatasync = lambda _: None

# Read at import by those below.
utils.SWIFT_CONF_FILE = os.path.join(FOLDER, "swift.conf")
with open(utils.SWIFT_CONF_FILE, "w", encoding="utf-8") as file:
    file.write("[swift-hash]\nswift_hash_path_suffix = weft\nswift_hash_path_prefix = weft\n"
               "[storage-policy:0]\nname = one\ndefault = yes\n")
utils.HASH_PATH_SUFFIX = utils.HASH_PATH_PREFIX = b"weft"
utils.validate_configuration = lambda: None


class Xattrs:
    """Where the file system has no user attributes (an old tmpfs): a file beside the file."""

    def __init__(self):
        self.folder = os.path.join(FOLDER, "xattrs")
        os.makedirs(self.folder, exist_ok=True)

    def _path(self, target, key):
        status = os.fstat(target) if isinstance(target, int) else os.stat(target)
        return os.path.join(self.folder, f"{status.st_ino}-{key}")

    def setxattr(self, target, key, value):
        with open(self._path(target, key), "wb") as out:
            out.write(value)

    def getxattr(self, target, key):
        try:
            with open(self._path(target, key), "rb") as into:
                return into.read()
        except FileNotFoundError:
            raise OSError(61, "no such attribute") from None


def check_xattrs():
    probe = os.path.join(FOLDER, "probe")
    with open(probe, "wb") as out:
        try:
            os.setxattr(out.fileno(), "user.swift", b"x")
        except OSError:
            import xattr
            instead = Xattrs()
            xattr.setxattr, xattr.getxattr = instead.setxattr, instead.getxattr
    os.unlink(probe)


check_xattrs()

from paste.deploy import loadapp  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402

# A small part is enough for a test: S3's own bound is 5 MiB.
PROXY = """
[DEFAULT]
[pipeline:main]
pipeline = catch_errors listing_formats s3api tempauth bulk copy slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
swift_dir = {folder}
conn_timeout = 5
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
location = us-east-1
min_segment_size = 65536
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:bulk]
use = egg:swift#bulk
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
rate_limit_after_segment = 10000
[filter:dlo]
use = egg:swift#dlo
"""
STORAGE = """
[DEFAULT]
devices = {folder}/data
mount_check = false
swift_dir = {folder}
[pipeline:main]
pipeline = {kind}
[app:{kind}]
use = egg:swift#{kind}
"""


class Quiet:
    """Access lines go nowhere; only what is wrong is worth the log."""

    def write(self, text):
        pass

    def flush(self):
        pass


class Cache:
    """In the place of memcached, in this one process."""

    def __init__(self):
        self.kept = {}

    def get(self, key, *_, **__):
        value, until = self.kept.get(key, (None, 0))
        return value if now() < until else None

    def get_multi(self, keys, *_, **__):
        return [self.get(key) for key in keys]

    def set(self, key, value, *_, time=0, **__):
        self.kept[key] = (value, now() + (time or 60))

    def set_multi(self, values, *_, time=0, **__):
        for key, value in values.items():
            self.set(key, value, time=time)

    def delete(self, key, *_, **__):
        self.kept.pop(key, None)

    def incr(self, key, *_, delta=1, time=0, **__):
        value = (self.get(key) or 0) + delta
        self.set(key, value, time=time)
        return value


CACHE = Cache()


def with_cache(app):
    def serve_one(env, start_response):
        env["swift.cache"] = CACHE
        return app(env, start_response)
    return serve_one


def listen(port):
    return eventlet.listen(("127.0.0.1", port), backlog=256)


def serve(name, conf, where):
    path = os.path.join(FOLDER, name + ".conf")
    with open(path, "w", encoding="utf-8") as out:
        out.write(conf.format(folder=FOLDER, kind=name))
    app = with_cache(loadapp("config:" + path, global_conf={"log_name": name}))
    eventlet.spawn(eventlet.wsgi.server, where, app, log=Quiet(), log_output=False,
                   max_size=256, keepalive=60, capitalize_response_headers=False)


def main():
    for kind in ("account", "container", "object"):
        where = listen(0)
        builder = RingBuilder(4, 1, 0)
        builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1.0, "ip": "127.0.0.1",
                         "port": where.getsockname()[1], "device": "d1"})
        builder.rebalance()
        builder.get_ring().save(os.path.join(FOLDER, kind + ".ring.gz"))
        serve(kind, STORAGE, where)
    serve("proxy", PROXY, listen(PORT))
    print(json.dumps({"port": PORT, "pid": os.getpid()}), flush=True)
    while True:
        eventlet.sleep(3600)


main()
