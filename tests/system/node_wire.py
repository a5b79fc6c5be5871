"""The protocol of nodes, written from docs/NODE_PROTOCOL.md alone: signed requests, and what a node
answers. Signs with the openssl command."""

import hashlib
import http.client
import os
import ssl
import struct
import subprocess
import tempfile
import time

DESCRIBE, FETCH, RUN, CALL, RESUME, CANCEL, STORE = range(1, 8)
FRAME, SEAL, RECEIPT = 1, 2, 3
CHUNK = 65536


def field(number, value):
    return struct.pack("<HI", number, len(value)) + value


def u64(value):
    return struct.pack("<Q", value)


class Key:
    """A private key in a PEM file."""

    def __init__(self, path):
        self.path = path
        der = subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"],
                             check=True, capture_output=True).stdout
        self.public = der[-32:]

    def sign(self, message):
        with tempfile.NamedTemporaryFile() as file:
            file.write(message)
            file.flush()
            return subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.path,
                                   "-in", file.name], check=True, capture_output=True).stdout


def signed(key, kind, fields):
    """A signed object of these fields, the signer's key before them."""
    body = field(1, key.public) + b"".join(fields)
    whole = b"weft\x01" + bytes([kind]) + struct.pack("<I", len(body)) + body
    return whole + key.sign(b"weft signed object\n" + whole)


def request(key, action, audience=b"\x00", module=b"", function=b"", arguments=None, limits=None,
            run=b"", start=0, made=None, life_ms=60_000, nonce=None, reply=None):
    """The bytes of a signed request. Arguments are hashed here."""
    executes = action in (RUN, CALL)
    made = int(time.time() * 1000) if made is None else made
    return signed(key, 1, [
        field(2, audience), field(3, nonce or os.urandom(16)), field(4, u64(made)),
        field(5, u64(made + life_ms)), field(6, bytes([action])), field(7, module),
        field(8, function),
        field(9, hashlib.sha256(arguments or b"").digest() if executes else b""),
        field(10, b"".join(map(u64, limits or (0, 0, 0, 0))) if executes else b""),
        field(11, run), field(12, u64(start)), field(13, reply or key.public)])


def module_list(data):
    """A module's list, and its name."""
    chunks = [data[at:at + CHUNK] for at in range(0, len(data), CHUNK)]
    encoded = u64(len(data)) + b"".join(hashlib.sha256(each).digest() for each in chunks)
    return encoded, hashlib.sha256(b"weft module 1\n" + encoded).digest(), chunks


def command_line(*words, stdin=b""):
    """The arguments of a program."""
    fields = b"".join(field(at, word.encode()) for at, word in enumerate(words, 1))
    return fields + field(0xffff, stdin)


class Answer:
    def __init__(self, status, body):
        self.status, self.body = status, body

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


def connect(address, seconds=30):
    # Whose key it is, clients of weft look at; here it is the test's own node.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(*address, timeout=seconds, context=context)


def body_of(bytes_, follows=b""):
    return struct.pack("<I", len(bytes_)) + bytes_ + follows


def post(address, bytes_, follows=b""):
    """The answer to a request, whole."""
    connection = connect(address)
    try:
        connection.request("POST", "/weft/1/request", body_of(bytes_, follows))
        response = connection.getresponse()
        return Answer(response.status, response.read())
    finally:
        connection.close()


def chunk(address, method, ticket, index, data=None):
    connection = connect(address)
    try:
        connection.request(method, f"/weft/1/chunks/{ticket.hex()}/{index}", data)
        response = connection.getresponse()
        return Answer(response.status, response.read())
    finally:
        connection.close()


def records(data):
    """The records that bytes begin with."""
    at = 0
    while len(data) - at >= 5:
        kind, size = struct.unpack_from("<BI", data, at)
        if len(data) - at - 5 < size:
            return
        yield kind, data[at + 5:at + 5 + size]
        at += 5 + size


def chain(name, data):
    """The number and the chain of all frames among the records, as seals have them."""
    count, value = 0, name
    for kind, body in records(data):
        if kind == FRAME:
            count, value = count + 1, hashlib.sha256(value + body).digest()
    return count, value


def fields_of(signed_object):
    """An object's fields by number; its signature is not looked at."""
    body, found, at = signed_object[10:-64], {}, 0
    while at < len(body):
        number, size = struct.unpack_from("<HI", body, at)
        found[number] = body[at + 6:at + 6 + size]
        at += 6 + size
    return found


def output(data, stream=1):
    return b"".join(body[1:] for kind, body in records(data) if kind == FRAME and body[0] == stream)
