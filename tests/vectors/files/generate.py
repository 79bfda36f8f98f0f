"""Golden files of numpy and safetensors. Run in this folder; the README above it says with what versions."""

import ctypes
import json

import ml_dtypes
import numpy as np
from safetensors import TensorSpec, serialize


def ramp(*shape):
    """Values that every float dtype holds exactly: 4 * value = (index mod 97) - 48."""
    count = int(np.prod(shape))
    return ((np.arange(count) % 97 - 48) / 4).reshape(shape)


# ---- .npy, read ----

ARRAYS = {
    "f4_c": ramp(3, 5).astype("<f4"),
    "f4_scalar": np.float32(-12),
    "f4_empty": ramp(0, 4).astype("<f4"),
    "f4_fortran": np.asfortranarray(ramp(3, 5).astype("<f4")),
    "f2_c": ramp(7).astype("<f2"),
    "f2_big_fortran": np.asfortranarray(ramp(2, 3, 4).astype(">f2")),
    "f4_big": ramp(2, 3).astype(">f4"),
    "f8_c": ramp(4, 2).astype("<f8"),
    "f8_big_fortran": np.asfortranarray(ramp(3, 2, 2).astype(">f8")),
    "bf16_c": ramp(3, 3).astype(ml_dtypes.bfloat16),
    "int4": np.arange(-8, 8).astype(ml_dtypes.int4),
    "i8_c": np.arange(5, dtype="<i8"),
}
for name, array in ARRAYS.items():
    np.save(f"{name}.npy", array)
for version in (2, 3):
    with open(f"f4_version{version}.npy", "wb") as file:
        np.lib.format.write_array(file, ramp(2, 2).astype("<f4"), version=(version, 0))
np.save("records.npy", np.zeros(2, dtype=[("x", "<f4"), ("y", "<i4")]))
np.save("objects.npy", np.array([None, {}]), allow_pickle=True)
np.save("float8_e4m3.npy", ramp(9).astype(ml_dtypes.float8_e4m3fn))
np.save("float8_e5m2.npy", ramp(9).astype(ml_dtypes.float8_e5m2))

# ---- .npz: numbers in every order, and what else archives hold ----

MEMBERS = {
    "big": ramp(2, 3).astype(">f4"),
    "columns": np.asfortranarray(ramp(3, 5).astype("<f4")),
    "layer/weight": ramp(70, 100).astype("<f4"),
    "half": ramp(4, 8).astype(ml_dtypes.bfloat16),
    "codes": np.arange(-128, 128, dtype="i1").reshape(4, 64),
    "labels": np.array(["a", "é"]),
    "objects": np.array([None, {}]),
}
np.savez("stored.npz", **MEMBERS)
np.savez_compressed("deflated.npz", **MEMBERS)

# ---- .npy, written: every dtype, and every alignment of the padding ----

DTYPES = {
    "BOOL": "?", "I8": "i1", "U8": "u1", "I16": "i2", "U16": "u2", "I32": "i4", "U32": "u4",
    "I64": "i8", "U64": "u8", "F16": "f2", "F32": "f4", "F64": "f8", "C64": "c8", "C128": "c16",
    "BF16": ml_dtypes.bfloat16,
}
SHAPES = [(), (0,), (5,), (12345678,), (2, 3), (1, 10, 100), (0, 0, 0), (1,) * 31, (1,) * 32]
SHAPES += [tuple([10**k] + [0] + [7] * n) for n in range(0, 16) for k in (0, 3)]


class Sink:
    def __init__(self):
        self.bytes = b""

    def write(self, piece):
        self.bytes += piece


def header(dtype, shape):
    sink = Sink()
    description = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(sink, description)
    return sink.bytes.decode("latin-1")


headers = [[name, [3, 2], header(dtype, (3, 2))] for name, dtype in DTYPES.items()]
headers += [["F32", shape, header("f4", shape)] for shape in SHAPES]
with open("npy_headers.json", "w") as file:
    json.dump(headers, file, indent=0)
    file.write("\n")

# ---- safetensors ----

ALL = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "F8_E5M2": "float8_e5m2", "F8_E4M3": "float8_e4m3fn",
    "F8_E8M0": "float8_e8m0fnu", "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "I16": "int16", "U16": "uint16", "F16": "float16", "BF16": "bfloat16", "I32": "int32",
    "U32": "uint32", "F32": "float32", "C64": "complex64", "F64": "float64", "I64": "int64", "U64": "uint64",
}
SIZE = {"8": 1, "6": 2, "2": 4, "4": 8}


def item_size(name):
    return 1 if name == "BOOL" or name.startswith("F8") else SIZE[name[-1]]


def save(path, tensors, metadata):
    """tensors: name → (dtype as the library spells it, shape, bytes)."""
    keep = {name: ctypes.create_string_buffer(data, max(1, len(data))) for name, (_, _, data) in tensors.items()}
    specs = {
        name: TensorSpec(
            dtype=dtype, shape=list(shape), data_ptr=ctypes.addressof(keep[name]), data_len=len(data)
        )
        for name, (dtype, shape, data) in tensors.items()
    }
    with open(path, "wb") as file:
        file.write(serialize(specs, metadata))


def counting(length):
    return bytes(i % 251 for i in range(length))


save("dtypes.safetensors", {
    f"t_{name}": (spelled, [2, 3], counting(6 * item_size(name))) for name, spelled in ALL.items()
}, None)
save("names.safetensors", {
    name: ("float32", [1], counting(4))
    for name in ["b", "a", "é", "z\n\"\\\x01\x7f/", "", "10", "9", "__proto__", "\uff21", "\U0001f600", "a.b", "aa"]
}, {"k\t": "v\u2028é\U0001f600"})
save("mixed.safetensors", {
    "weight": ("float32", [3, 5], ramp(3, 5).astype("<f4").tobytes()),
    "half": ("float16", [7], ramp(7).astype("<f2").tobytes()),
    "brain": ("bfloat16", [3, 3], ramp(3, 3).astype(ml_dtypes.bfloat16).tobytes()),
    "double": ("float64", [2, 2], ramp(2, 2).astype("<f8").tobytes()),
    "scalar": ("float32", [], ramp(1).astype("<f4").tobytes()),
    "empty": ("float32", [0, 4], b""),
    "ids": ("int64", [2], np.arange(2, dtype="<i8").tobytes()),
}, {"format": "np"})
save("none.safetensors", {}, None)

# ---- eight-bit floats: every byte, and what ml_dtypes makes of it as float32 ----

FLOAT8 = {"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu"}
BYTES = np.arange(256, dtype=np.uint8)
float8 = {}
for name, spelled in FLOAT8.items():
    decoded = BYTES.view(getattr(ml_dtypes, spelled)).astype("<f4")
    float8[name] = (spelled, [256], BYTES.tobytes())
    float8[f"{name} as F32"] = ("float32", [256], decoded.tobytes())
save("float8.safetensors", float8, None)
