"""What is written, so that whoever reads it knows by itself whether it is right: a line says whose
it is, which one, and what its content adds up to."""

import random
import zlib

STREAMS = {"stdout": "o", "stderr": "e"}
FILLER = "the quick brown fox jumps over the lazy dog \u00e4\u00f6\u00fc \u20ac \U0001f98a \x1b[1mbold\x1b[0m\ttab "
# Not UTF-8, in ways that matter: alone, cut short, overlong, a surrogate, beyond the last.
BROKEN = (b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\xa6", b"\xc0\xaf", b"\xed\xa0\x80",
          b"\xf4\x90\x80\x80", b"\x80")


def source_of(run_id, stream):
    """The name of a log in its lines."""
    return run_id + "/" + STREAMS[stream]


def _sealed(body):
    """The body as a reader is to get it decides the check."""
    return zlib.crc32(body.decode("utf-8", "replace").encode("utf-8"))


def make(source, seq, rng=random, long_bytes=0, broken=False, controls=False):
    """The bytes of a line, without its end."""
    size = rng.randrange(0, 100)
    start = rng.randrange(0, 8)
    filler = FILLER[start:start + size]
    if long_bytes:
        filler = FILLER * (long_bytes // len(FILLER) + 1)
    if controls:
        filler += "\0 \r \x07 \x7f \u2028 "
    body = ("%s %d %s" % (source, seq, filler)).encode()
    if broken:
        at = rng.randrange(len(source) + len(str(seq)) + 2, len(body) + 1)
        body = body[:at] + rng.choice(BROKEN) + b"." + body[at:]
    return b"%s#%08x" % (body, _sealed(body))


def read(text):
    """(source, seq) of a line as it was received; None if it is none."""
    body, mark, check = text.rpartition("#")
    try:
        if not mark or len(check) != 8 or int(check, 16) != zlib.crc32(body.encode("utf-8")):
            return None
        source, seq, _ = body.split(" ", 2)
        return source, int(seq)
    except (ValueError, UnicodeEncodeError):
        return None


def event_check(members):
    """Of the members of an event, in whatever order."""
    return zlib.crc32(repr(sorted(members.items())).encode("utf-8", "replace"))
