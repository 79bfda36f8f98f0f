"""Takes the initializers of MatMulNBits and MatMulBnb4 out of ONNX files, beside the weight and what onnxruntime made of it.

    python3 extract.py FOLDER...

Each folder holds `model.onnx`, as the quantizer of the operator saved it, and `data.safetensors` with `weight` and
`dequant`; one NAME.safetensors each is written here or to ../matmul_bnb4, with the bytes as they are.
"""

import json
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = {"W_Q4": "B", "W_scales": "scales", "W_zero_points": "zero_points", "W_Bnb4": "B",
         "W_absmax": "absmax"}
DTYPES = {1: "F32", 2: "U8", 10: "F16"}


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data):
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        elif tag & 7 == 2:
            length, at = varint(data, at)
            value = data[at:at + length]
            at += length
        else:
            width = {1: 8, 5: 4}[tag & 7]
            value = data[at:at + width]
            at += width
        yield tag >> 3, value


def initializers(path):
    with open(path, "rb") as file:
        model = file.read()
    for graph in (value for number, value in fields(model) if number == 7):
        for tensor in (value for number, value in fields(graph) if number == 5):
            found = {"dims": []}
            for number, value in fields(tensor):
                if number == 1:
                    at = 0
                    if isinstance(value, int):
                        found["dims"].append(value)
                    else:
                        while at < len(value):
                            dim, at = varint(value, at)
                            found["dims"].append(dim)
                elif number == 2:
                    found["dtype"] = DTYPES[value]
                elif number == 8:
                    found["name"] = value.decode()
                elif number == 9:
                    found["data"] = value
            yield found


def tensors(path):
    with open(path, "rb") as file:
        length, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    for name, entry in header.items():
        if name in ("weight", "dequant"):
            start, end = entry["data_offsets"]
            yield name, entry["dtype"], entry["shape"], data[start:end]


for folder in sys.argv[1:]:
    entries = [(NAMES[t["name"]], t["dtype"], t["dims"], t["data"]) for t in initializers(f"{folder}/model.onnx")]
    entries += tensors(f"{folder}/data.safetensors")
    header, at = {}, 0
    for name, dtype, shape, data in entries:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    name = os.path.basename(folder.rstrip("/")).removeprefix("QOperator_")
    into = "../matmul_bnb4" if any(entry[0] == "absmax" for entry in entries) else "."
    with open(f"{HERE}/{into}/{name}.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(entry[3] for entry in entries))
