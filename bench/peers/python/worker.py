"""What the scripts of this folder share: they serve one process that times them,
a line of JSON out for a line of JSON in.

    {"command": "load", "folder": ..., "options": {...}} -> {"name": ..., "operations": [...]}
                                                         or {"missing": why}
    {"command": "checksums"}                             -> {"parts": {part: crc32}, "values": crc32}
    {"command": "quantize"}                              -> {"nanoseconds": t}
    {"command": "dequantize"}                            -> {"nanoseconds": t}

`folder` holds the floats as weight.npy; `options` are those of nibblewise.
"""
import json
import os
import sys
import time
import zlib
from dataclasses import dataclass
from typing import Any, Callable


@dataclass
class Peer:
    """A library with its data."""

    name: str
    # By "quantize" and "dequantize": does the work once, all of it, and returns what it made.
    operations: dict[str, Callable[[], Any]]
    # The parts that it quantizes to, by the names that they have here, as arrays of numpy.
    parts: Callable[[], dict[str, Any]]
    # The values that it dequantizes them to.
    values: Callable[[], Any]


def checksum(array):
    return zlib.crc32(array.tobytes())


def serve(load):
    """Answers requests until there are no more; `load(folder, options)` makes the peer."""
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    peer = None
    for line in sys.stdin:
        request = json.loads(line)
        command = request["command"]
        if command == "load":
            peer = None
            try:
                peer = load(request["folder"], request["options"])
                answer = {"name": peer.name, "operations": list(peer.operations)}
            except Exception as error:
                # Not installed, or of a version that calls things otherwise.
                answer = {"missing": f"{sys.executable}: {error}"}
        elif command == "checksums":
            parts = {part: checksum(array) for part, array in peer.parts().items()}
            answer = {"parts": parts, "values": checksum(peer.values())}
        else:
            work = peer.operations[command]
            start = time.perf_counter_ns()
            made = work()
            answer = {"nanoseconds": time.perf_counter_ns() - start}
            del made
        print(json.dumps(answer), file=answers, flush=True)
