"""Large objects on S3, from a guest, beside curl with a presigned URL on the same server."""

import datetime
import hashlib
import hmac
import http.client
import os
import re
import subprocess
import time
import urllib.parse

import harness
from harness import Unmeasured, median
from rows_stores import free_port

# An object of the host's own memory: smaller than what is measured, so that it need not hold that.
FLOOR_MIB = 4
ID, KEY, REGION, BUCKET = "test:tester", "testing", "us-east-1", "bench"


def presigned(port, method, path):
    """A URL that whoever has it may ask for an hour (Signature Version 4)."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{now[:8]}/{REGION}/s3/aws4_request"
    query = urllib.parse.urlencode(sorted({
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{ID}/{scope}",
        "X-Amz-Date": now, "X-Amz-Expires": "3600", "X-Amz-SignedHeaders": "host"}.items()))
    host = f"127.0.0.1:{port}"
    canonical = f"{method}\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4" + KEY.encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return f"http://{host}{path}?{query}&X-Amz-Signature={signature}"


class Swift:
    """Debian's OpenStack Swift with its S3 interface, on a port of its own, with a bucket."""

    def __init__(self, folder):
        self.port = free_port()
        program = os.path.join(harness.ROOT, "src", "remote", "testing", "swift_server.py")
        self._process = subprocess.Popen(
            ["/usr/bin/python3", program, str(self.port), folder],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                peer = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
                url = presigned(self.port, "PUT", f"/{BUCKET}")
                peer.request("PUT", url[url.index("/" + BUCKET):])
                if peer.getresponse().status == 200:
                    return self
            except OSError:
                time.sleep(0.05)
        self.__exit__()
        raise Unmeasured("OpenStack Swift does not serve: are its packages installed?")

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()


def app(setting, port):
    """An app of the guest, and its operator's file: its objects are where curl's are."""
    folder = setting.folder("s3-app")
    with open(os.path.join(folder, "weft.toml"), "w", encoding="utf-8") as file:
        file.write('[app]\nname = "bench"\n[component.blobs]\n'
                   f'source = "{setting.guest("blobstore_p2")}"\n'
                   'uses.blobstore = ["assets", "local"]\n'
                   'limits = { cpu = "0s", time = "0s" }\n'
                   '[[trigger.http]]\nroute = "/..."\ncomponent = "blobs"\n')
    on = os.path.join(folder, "on.toml")
    with open(on, "w", encoding="utf-8") as file:
        file.write(f'[blobstore.assets]\ndriver = "s3"\nurl = "http://127.0.0.1:{port}"\n'
                   f'bucket = "{BUCKET}"\nprefix = ""\naccess-key-id = "{ID}"\n'
                   f'secret-access-key = "{KEY}"\n[blobstore.local]\ndriver = "memory"\n')
    return [setting.need(setting.built("weft")), "run", folder, "--on", on, "--http",
            "127.0.0.1:0", "--quiet"]


def ask(port, method, path):
    peer = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    peer.request(method, path)
    response = peer.getresponse()
    body = response.read().decode()
    peer.close()
    if response.status not in (200, 201):
        raise Unmeasured(f"{path} answers {response.status}: {body[:300]}")
    return body.strip()


def resident_mib(pid, name):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(rf"{name}:\s+(\d+)", status.read()).group(1)) / 1024


def through_weft(weft, method, path, mib):
    """CPU seconds a GiB, and by how many MiB the process grew at most."""
    with open(f"/proc/{weft.pid}/clear_refs", "w", encoding="ascii") as peak:
        peak.write("5")
    before, cpu = resident_mib(weft.pid, "VmRSS"), weft.cpu_seconds()
    said = ask(weft.port, method, path)
    if method == "GET" and said != str(mib << 20):
        raise Unmeasured(f"{path} counted {said} bytes")
    return ((weft.cpu_seconds() - cpu) * 1024 / mib, resident_mib(weft.pid, "VmHWM") - before)


def within_weft(weft, method, path, mib):
    """CPU seconds a GiB of the same guest on the host's own memory: no server, no connection."""
    ask(weft.port, "PUT", f"/fill/floor?in=local&mib={FLOOR_MIB}")
    cpu = weft.cpu_seconds()
    for _ in range(max(mib // FLOOR_MIB, 1)):
        ask(weft.port, method, path + f"in=local&mib={FLOOR_MIB}")
    return (weft.cpu_seconds() - cpu) * 1024 / max(mib, FLOOR_MIB)


def curl(command, mib):
    """CPU seconds a GiB."""
    process = subprocess.Popen(["curl", "-sf", *command], env=harness.environment(),
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise Unmeasured(f"curl ended with {process.returncode}")
    return (usage.ru_utime + usage.ru_stime) * 1024 / mib


def verdict(what, ours, theirs):
    ratio = median([one / other for one, other in zip(ours, theirs)])
    return {"what": f"{what}: CPU seconds a GiB, beside curl", "asked": "≤ 1.3 ×",
            "measured": f"{median(ours):.2f} to {median(theirs):.2f} s", "ratio": ratio / 1.3,
            "met": ratio <= 1.3}


def floor(ours, theirs, within):
    """The cells of a row."""
    least = (median(theirs) + median(within)) / median(theirs)
    return [f"{median(ours):.2f}", f"{median(theirs):.2f}", f"{median(within):.2f}",
            f"{least:.2f} ×"]


def s3(setting):
    rounds, mib = (1, 128) if setting.quick else (3, 1024)
    ups, downs, curl_ups, curl_downs, growth = [], [], [], [], []
    up_floors, down_floors = [], []
    file = os.path.join(setting.folder("s3-file"), "body")
    with open(file, "wb") as body:
        for _ in range(mib):
            body.write(os.urandom(1 << 20))
    with Swift(setting.folder("swift")) as server:
        command = app(setting, server.port)
        put = ["-T", file, presigned(server.port, "PUT", f"/{BUCKET}/theirs")]
        get = ["-o", "/dev/null", presigned(server.port, "GET", f"/{BUCKET}/theirs")]
        with harness.Server(command, harness.environment(
                XDG_CACHE_HOME=setting.folder("cache"))) as weft:
            ask(weft.port, "PUT", "/fill/ours?mib=1")
            ask(weft.port, "GET", "/drain/ours")
            for _ in range(rounds):
                curl_ups.append(curl(put, mib))
                cpu, grown = through_weft(weft, "PUT", f"/fill/ours?mib={mib}", mib)
                ups.append(cpu)
                growth.append(grown)
                curl_downs.append(curl(get, mib))
                cpu, grown = through_weft(weft, "GET", "/drain/ours", mib)
                downs.append(cpu)
                growth.append(grown)
            # Last: what is kept there would be taken for growth.
            for _ in range(rounds):
                up_floors.append(within_weft(weft, "PUT", "/fill/floor?", mib))
                down_floors.append(within_weft(weft, "GET", "/drain/floor?", mib))
    return {
        "verdicts": [
            verdict("1 GiB up", ups, curl_ups), verdict("1 GiB down", downs, curl_downs),
            {"what": "growth of the host's memory meanwhile", "asked": "< 16 MiB",
             "measured": f"{max(growth):.1f} MiB", "ratio": max(growth) / 16,
             "met": max(growth) < 16}],
        "table": [["", "weft", "curl", "the guest on memory", "floor"],
                  ["up, CPU seconds a GiB", *floor(ups, curl_ups, up_floors)],
                  ["down, CPU seconds a GiB", *floor(downs, curl_downs, down_floors)]],
        "rounds": {"up": ups, "curl up": curl_ups, "down": downs, "curl down": curl_downs,
                   "growth": growth, "up within": up_floors, "down within": down_floors},
        "commands": [setting.shown(command), "curl -sf -T FILE PRESIGNED",
                     "curl -sf -o /dev/null PRESIGNED"],
        "notes": [f"{mib} MiB a time on OpenStack Swift, plain HTTP. The guest writes a block of "
                  "64 KiB that it has and counts what it reads; curl reads a file and writes to "
                  "/dev/null. Seconds are user's and system's, of the process alone. Growth is "
                  "the peak of what is resident above what was before. The floor is what "
                  f"curl takes and what the same guest takes on objects of {FLOOR_MIB} MiB in the "
                  "host's memory, over what curl takes: a guest's bytes are copied into and out "
                  "of its memory, which curl has not to do."]}
