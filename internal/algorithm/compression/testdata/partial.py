#!/usr/bin/env python3
"""Makes the *.packets files here with C zlib, one partial flush a packet.

A file is records of u32 length, deflated packet, u32 length, plain packet.
"""
import random
import struct
import zlib

r = random.Random(4253)
words = "the ssh transport layer packet channel window data key exchange host user request reply".split()


def text(n):
    b = ""
    while len(b) < n:
        b += r.choice(words) + r.choice([" ", " ", ", ", ".\r\n"])
    return b[:n].encode()


def noise(n):
    return bytes(r.getrandbits(8) for _ in range(n))


def keys(_):
    return text(r.choice([1, 1, 1, 2, 5, 30]))


def mixed(n):
    return b"".join(r.choice([text, noise, lambda k: bytes([r.getrandbits(8)]) * k])(r.randrange(1, 300)) for _ in range(n // 300 + 1))


def write(name, makers, level=6, strategy=zlib.Z_DEFAULT_STRATEGY, memory=8, wbits=15):
    c = zlib.compressobj(level, zlib.DEFLATED, wbits, memory, strategy)
    with open(name + ".packets", "wb") as f:
        for make, n in makers:
            plain = make(n)
            z = c.compress(plain) + c.flush(zlib.Z_PARTIAL_FLUSH)
            f.write(struct.pack(">I", len(z)) + z + struct.pack(">I", len(plain)) + plain)


write("keys", [(keys, 0)] * 200)
write("text", [(text, n) for n in (1, 100, 3000, 10, 5000, 258, 259, 40, 2000)])
write("mixed", [(mixed, n) for n in (100, 2000, 4000, 1, 3000)])
write("stored", [(noise, 300), (text, 700), (noise, 1)], level=0)
write("level1", [(text, 3000), (mixed, 3000)], level=1)
write("level9", [(text, 3000), (mixed, 3000)], level=9)
write("fixed", [(text, 2000), (keys, 0), (mixed, 1500)], strategy=4)
write("huffman", [(text, 2000), (keys, 0), (mixed, 1500)], strategy=zlib.Z_HUFFMAN_ONLY)
write("rle", [(mixed, 3000), (keys, 0)], strategy=3)
write("window512", [(text, 3000), (text, 2000)], wbits=9)
write("far", [(text, 4000)] + [(lambda n: b"\0" * n, 30000)] + [(text, 4000)] * 2)
