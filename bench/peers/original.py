"""
The original module under numpy, as a peer to measure against.

Provenance: the four operations below are the small Python module that
nibblewise grew out of (a `quantize.py` with quantize_to_int4,
dequantize_from_int4, pack_int4_to_int8 and unpack_int8_to_int4). Their
arithmetic and the numpy calls are kept as they were, since they are what is
timed; documentation and the worked example are left out.

As a program it serves one process that times it: a line of JSON in, a line of
JSON out.

    {"command": "load", "path": "values.f32"}            -> {"length": n}
    {"command": "quantize", "method": "absmax"}          -> {"nanoseconds": t}
    {"command": "dequantize", "method": "absmax"}        -> {"nanoseconds": t}
    {"command": "checksum", "method": "absmax"}          -> {"packed": crc32, "values": crc32}
"""

import json
import sys
import time
import zlib

import numpy as np


def quantize_to_int4(values, scale_method="minmax"):
    values = np.asarray(values, dtype=np.float32)
    if scale_method == "minmax":
        data_min = values.min()
        data_max = values.max()
        scale = (data_max - data_min) / 15
        zero_point = 0
    elif scale_method == "absmax":
        abs_max = np.max(np.abs(values))
        scale = abs_max / 7
        zero_point = 0
    else:
        raise ValueError(f"Unknown scale_method: {scale_method}")
    if scale == 0:
        scale = 1.0
    quantized = np.round(values / scale).astype(np.int8)
    quantized = np.clip(quantized, -8, 7)
    return quantized, scale, zero_point


def dequantize_from_int4(quantized_values, scale, zero_point=0):
    return (quantized_values.astype(np.float32)) * scale


def pack_int4_to_int8(int4_values):
    if len(int4_values) % 2 != 0:
        int4_values = np.pad(int4_values, (0, 1), "constant")
    pairs = int4_values.reshape(-1, 2)
    packed = (pairs[:, 0] & 0xF) | ((pairs[:, 1] & 0xF) << 4)
    return packed.astype(np.int8)


def unpack_int8_to_int4(packed_values):
    lower = packed_values & 0xF
    upper = (packed_values >> 4) & 0xF
    lower = np.where(lower > 7, lower - 16, lower)
    upper = np.where(upper > 7, upper - 16, upper)
    unpacked = np.empty(len(packed_values) * 2, dtype=np.int8)
    unpacked[0::2] = lower
    unpacked[1::2] = upper
    return unpacked


def quantize_and_pack(values, method):
    quantized, scale, _ = quantize_to_int4(values, method)
    return pack_int4_to_int8(quantized), scale


def serve():
    values = np.zeros(0, dtype=np.float32)
    packed = {}
    for line in sys.stdin:
        request = json.loads(line)
        command = request["command"]
        method = request.get("method")
        if command == "load":
            values = np.fromfile(request["path"], dtype="<f4")
            packed = {m: quantize_and_pack(values, m) for m in ("absmax", "minmax")}
            answer = {"length": len(values)}
        elif command == "quantize":
            start = time.perf_counter_ns()
            quantize_and_pack(values, method)
            answer = {"nanoseconds": time.perf_counter_ns() - start}
        elif command == "dequantize":
            codes, scale = packed[method]
            start = time.perf_counter_ns()
            dequantize_from_int4(unpack_int8_to_int4(codes), scale)
            answer = {"nanoseconds": time.perf_counter_ns() - start}
        else:
            codes, scale = packed[method]
            restored = dequantize_from_int4(unpack_int8_to_int4(codes), scale)
            answer = {
                "packed": zlib.crc32(codes.tobytes()),
                "values": zlib.crc32(restored.astype("<f4").tobytes()),
            }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve()
