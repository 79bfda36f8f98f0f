"""Makes the GGUF vectors with the reference Python package: see README.md beside this file.

    pip install gguf==0.19.0 numpy
    python3 tests/vectors/gguf_generate.py
"""
import os

import numpy as np
from gguf import GGMLQuantizationType, GGUFEndian, GGUFValueType, GGUFWriter

here = os.path.dirname(os.path.abspath(__file__))


def save(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def ramp(*shape, dtype=np.float32):
    return (np.arange(np.prod(shape, dtype=int), dtype=np.float64) / 8 - 3).astype(dtype).reshape(shape)


def all_types():
    """Every value type, arrays of every type, tensors of many types."""
    w = GGUFWriter(os.path.join(here, "gguf_types.gguf"), "test")
    w.add_uint8("v.u8", 255)
    w.add_int8("v.i8", -128)
    w.add_uint16("v.u16", 65535)
    w.add_int16("v.i16", -32768)
    w.add_uint32("v.u32", 4294967295)
    w.add_int32("v.i32", -2147483648)
    w.add_float32("v.f32", 0.1)
    w.add_bool("v.true", True)
    w.add_bool("v.false", False)
    w.add_string("v.string", "größer 4 ≥ 3 🦙")
    w.add_string("v.bom", "\ufeffmark")
    w.add_string("v.nul", "a\0b")
    w.add_key_value("v.latin1", b"caf\xe9", GGUFValueType.STRING)
    w.add_uint64("v.u64", 2**64 - 1)
    w.add_int64("v.i64", -(2**63))
    w.add_float64("v.f64", 0.1)
    w.add_key_value("__proto__", 7, GGUFValueType.UINT32)
    for name, sub, values in [
        ("u8", GGUFValueType.UINT8, [0, 255]),
        ("i8", GGUFValueType.INT8, [-128, 127]),
        ("u16", GGUFValueType.UINT16, [0, 65535]),
        ("i16", GGUFValueType.INT16, [-32768, 32767]),
        ("u32", GGUFValueType.UINT32, [0, 4294967295]),
        ("i32", GGUFValueType.INT32, [-2147483648, 2147483647]),
        ("f32", GGUFValueType.FLOAT32, [0.1, -2.5, float("inf")]),
        ("bool", GGUFValueType.BOOL, [True, False, True]),
        ("string", GGUFValueType.STRING, ["<unk>", "", "▁the", "\0"]),
        ("u64", GGUFValueType.UINT64, [0, 2**64 - 1]),
        ("i64", GGUFValueType.INT64, [-(2**63), 2**63 - 1]),
        ("f64", GGUFValueType.FLOAT64, [0.1, 1e300]),
    ]:
        w.add_key_value("a." + name, values, GGUFValueType.ARRAY, sub_type=sub)
    w.add_tensor("scalar", np.array(1.5, dtype=np.float32))
    w.add_tensor("f32", ramp(2, 3, 4))
    w.add_tensor("f16", ramp(5, dtype=np.float16))
    w.add_tensor("f64", ramp(3, dtype=np.float64))
    w.add_tensor("bf16", (ramp(2, 3).view(np.uint32) >> 16).astype(np.uint16).view(np.int16),
                 raw_dtype=GGMLQuantizationType.BF16)
    for bits in (8, 16, 32, 64):
        w.add_tensor(f"i{bits}", np.arange(-2, 3, dtype=f"i{bits // 8}"))
    for kind, rows, block, size in [
        ("Q4_0", 3, 32, 18), ("Q4_1", 1, 32, 20), ("Q4_K", 2, 256, 144), ("IQ4_NL", 2, 32, 18),
        ("IQ4_XS", 1, 256, 136), ("MXFP4", 3, 32, 17), ("NVFP4", 1, 64, 36), ("Q8_0", 1, 32, 34),
    ]:
        # Two blocks to a row; the bytes of a block mean nothing here.
        data = (np.arange(rows * 2 * size) * 7 % 251).astype(np.uint8).reshape(rows, 2 * size)
        w.add_tensor(kind.lower(), data, raw_dtype=GGMLQuantizationType[kind])
    w.add_tensor("four.dimensions", ramp(2, 1, 3, 2))
    save(w)


def alignment():
    """An alignment of 256, a tensor that ends on it and one that does not."""
    w = GGUFWriter(os.path.join(here, "gguf_alignment.gguf"), "test")
    w.add_custom_alignment(256)
    w.add_tensor("a", ramp(64))
    w.add_tensor("b", ramp(65))
    w.add_tensor("c", ramp(1))
    save(w)


def empty():
    """No tensors."""
    w = GGUFWriter(os.path.join(here, "gguf_empty.gguf"), "test")
    save(w)


def big_endian():
    w = GGUFWriter(os.path.join(here, "gguf_big_endian.gguf"), "test", endianess=GGUFEndian.BIG)
    w.add_tensor("a", ramp(4))
    save(w)


all_types()
alignment()
empty()
big_endian()
