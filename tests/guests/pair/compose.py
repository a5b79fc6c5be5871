#!/usr/bin/env python3
"""Puts two components into one: compose.py SERVER CLIENT INTERFACE FUNCTION OUT

INTERFACE, which the server exports, is what the client imports; of the client's exports the one
FUNCTION is the whole's. Both are taken as they are: the sections below are all that is added.
"""

import sys

COMPONENT, INSTANCE, ALIAS, EXPORT = 4, 5, 6, 11


def leb(number):
    out = bytearray()
    while True:
        byte = number & 0x7F
        number >>= 7
        out.append(byte | (0x80 if number else 0))
        if not number:
            return bytes(out)


def text(name):
    return leb(len(name.encode())) + name.encode()


def section(kind, content):
    return bytes([kind]) + leb(len(content)) + content


def instantiate(component, arguments):
    """An instance of a component: each argument a name and the number of an instance."""
    out = b"\x00" + leb(component) + leb(len(arguments))
    for name, instance in arguments:
        out += text(name) + b"\x05" + leb(instance)
    return section(INSTANCE, leb(1) + out)


def alias_export(sort, instance, name):
    return section(ALIAS, leb(1) + sort + b"\x00" + leb(instance) + text(name))


def main():
    server, client, interface, function, out = sys.argv[1:]
    whole = b"\0asm\x0d\x00\x01\x00"
    for file in (server, client):
        with open(file, "rb") as part:
            whole += section(COMPONENT, part.read())
    whole += instantiate(0, [])  # instance 0
    whole += alias_export(b"\x05", 0, interface)  # instance 1
    whole += instantiate(1, [(interface, 1)])  # instance 2
    whole += alias_export(b"\x01", 2, function)  # function 0
    whole += section(EXPORT, leb(1) + b"\x00" + text(function) + b"\x01" + leb(0) + b"\x00")
    with open(out, "wb") as file:
        file.write(whole)


if __name__ == "__main__":
    main()
