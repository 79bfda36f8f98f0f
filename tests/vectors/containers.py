"""Takes the constants of quantized weights out of the files of other libraries, and puts them beside what went in and what came out.

usage: containers.py ONNX_QDQ ONNX_GATHER TFLITE OPENVINO   folders of CASE/model.onnx | .tflite | .xml + .bin, CASE/data.safetensors
Writes {onnx_int4,onnx_uint4,gather_blocks,tflite,openvino}/CASE.safetensors beside itself; needs nothing but Python.
"""
import json, os, struct, sys
import xml.etree.ElementTree as ET

HERE = os.path.dirname(os.path.abspath(__file__))
SIZES = {"U8": 1, "I8": 1, "F16": 2, "F32": 4, "I64": 8, "F8_E4M3": 1, "F8_E8M0": 1}


def load(path):
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    head = json.loads(raw[8:8 + n])
    return {k: (v["dtype"], v["shape"], raw[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]]) for k, v in head.items() if k != "__metadata__"}


def save(folder, case, tensors):
    head, body = {}, b""
    for name in sorted(tensors, key=lambda k: (-SIZES[tensors[k][0]], k)):
        dtype, shape, data = tensors[name]
        head[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    os.makedirs(os.path.join(HERE, folder), exist_ok=True)
    open(os.path.join(HERE, folder, case + ".safetensors"), "wb").write(struct.pack("<Q", len(text)) + text + body)


# ---- protobuf ----

def varint(b, i):
    value = shift = 0
    while True:
        value |= (b[i] & 127) << shift
        shift += 7
        i += 1
        if b[i - 1] < 128:
            return value, i


def fields(b):
    i = 0
    while i < len(b):
        key, i = varint(b, i)
        kind = key & 7
        if kind == 0: value, i = varint(b, i)
        elif kind == 2:
            n, i = varint(b, i)
            value, i = b[i:i + n], i + n
        else:
            n = 4 if kind == 5 else 8
            value, i = b[i:i + n], i + n
        yield key >> 3, value


def packed(values):
    out = []
    for value in values:
        if isinstance(value, int): out.append(value)
        else:
            i = 0
            while i < len(value):
                x, i = varint(value, i)
                out.append(x)
    return out


ONNX_TYPES = {1: "F32", 10: "F16", 21: "U8", 22: "U8"}


def initializers(path):
    found = {}
    for number, graph in fields(open(path, "rb").read()):
        if number != 7: continue
        for number, tensor in fields(graph):
            if number != 5: continue
            f = {}
            for k, v in fields(tensor): f.setdefault(k, []).append(v)
            kind = f[2][0]
            if kind not in ONNX_TYPES: continue
            dims = packed(f.get(1, []))
            data = f[9][0] if 9 in f else bytes(x & 255 for x in packed(f.get(5, []))) if kind > 20 else b"".join(f.get(4, []))
            found[f[8][0].decode()] = (kind, ONNX_TYPES[kind], [len(data)] if kind > 20 else dims, data)
    return found


def onnx(folder, qdq):
    for case in sorted(os.listdir(folder)):
        t = initializers(f"{folder}/{case}/model.onnx")
        data = load(f"{folder}/{case}/data.safetensors")
        names = {"data": "weight", "scale": "s", "zero_point": "zp"} if qdq else {"data": "W_Q4", "scales": "W_scales", "zero_points": "W_zero_points"}
        parts = {part: t[name][1:] for part, name in names.items() if name in t}
        kind = t[names["data"]][0]
        beside = {k: data[k] for k in ("input", "weight", "dequant") if k in data}
        if "weight" in beside: beside["input"] = beside.pop("weight")
        save({21: "onnx_uint4", 22: "onnx_int4"}[kind] if qdq else "gather_blocks", case, {**parts, **beside})


# ---- flatbuffers ----

class Table:
    def __init__(self, b, at): self.b, self.at = b, at

    @staticmethod
    def u32(b, at): return struct.unpack_from("<I", b, at)[0]

    def place(self, index):
        table = self.at - struct.unpack_from("<i", self.b, self.at)[0]
        if 4 + 2 * index >= struct.unpack_from("<H", self.b, table)[0]: return None
        offset = struct.unpack_from("<H", self.b, table + 4 + 2 * index)[0]
        return self.at + offset if offset else None

    def number(self, index, form, default=0):
        at = self.place(index)
        return default if at is None else struct.unpack_from(form, self.b, at)[0]

    def table(self, index):
        at = self.place(index)
        return None if at is None else Table(self.b, at + self.u32(self.b, at))

    def vector(self, index):
        at = self.place(index)
        if at is None: return 0, 0
        start = at + self.u32(self.b, at)
        return start + 4, self.u32(self.b, start)

    def tables(self, index):
        start, n = self.vector(index)
        return [Table(self.b, start + 4 * i + self.u32(self.b, start + 4 * i)) for i in range(n)]

    def bytes(self, index, size=1):
        start, n = self.vector(index)
        return self.b[start:start + n * size]


INT4, FLOAT16 = 17, 1


def tflite(folder):
    for case in sorted(os.listdir(folder)):
        raw = open(f"{folder}/{case}/model.tflite", "rb").read()
        model = Table(raw, Table.u32(raw, 0))
        tensors, buffers = model.tables(2)[0].tables(0), model.tables(4)
        held = lambda t: buffers[t.number(2, "<I")].bytes(0)
        weight = [t for t in tensors if t.number(1, "<b") == INT4][0]
        parts, quantization = {"weight": ("U8", [len(held(weight))], held(weight))}, weight.table(4)
        details = quantization.table(5)
        if details:
            scales = tensors[details.number(0, "<i")]
            assert scales.number(1, "<b") == FLOAT16
            start, n = scales.vector(0)
            parts["scale"] = ("F16", struct.unpack_from(f"<{n}i", raw, start), held(scales))
        else:
            scale, zero = quantization.bytes(2, 4), quantization.bytes(3, 8)
            parts["scale"] = ("F32", [len(scale) // 4], scale)
            if "_asym" in case: parts["zero_point"] = ("I64", [len(zero) // 8], zero)
            else: assert zero == bytes(len(zero))
        data = load(f"{folder}/{case}/data.safetensors")
        save("tflite", case, {**parts, "input": data["weight"], **({"dequant": data["dequant"]} if "dequant" in data else {})})


# ---- OpenVINO ----

OPENVINO_TYPES = {"f16": "F16", "f32": "F32", "f8e8m0": "F8_E8M0", "f8e4m3": "F8_E4M3"}


def openvino(folder):
    for case in sorted(os.listdir(folder)):
        raw, parts = open(f"{folder}/{case}/model.bin", "rb").read(), {}
        for layer in ET.parse(f"{folder}/{case}/model.xml").getroot().iter("layer"):
            name = layer.get("name")
            if layer.get("type") != "Const" or not name.startswith("weight"): continue
            d = layer.find("data")
            at, n = int(d.get("offset")), int(d.get("size"))
            shape, kind = [int(x) for x in d.get("shape").split(",") if x.strip()], d.get("element_type")
            if name.startswith("weight_nncf_codebook/"): continue
            # The codebook has the name of the weight; it is that of the mode.
            if case.startswith("CB4"):
                if name == "weight": continue
                if name == "weight_nncf_codebook_idxs": name = "weight"
            part = {"weight": "weight", "weight/scale": "scale", "weight/zero_point": "zero_point", "weight/second_order_scale": "second_order_scale"}[name]
            parts[part] = (OPENVINO_TYPES.get(kind, "U8"), shape if kind in OPENVINO_TYPES else [n], raw[at:at + n])
        data = load(f"{folder}/{case}/data.safetensors")
        save("openvino", case, {**parts, "input": data["weight"], **({"dequant": data["dequant"]} if "dequant" in data else {})})


if __name__ == "__main__":
    qdq, gather, lite, vino = sys.argv[1:]
    onnx(qdq, True)
    onnx(gather, False)
    tflite(lite)
    openvino(vino)
