/**
 * Writes `int4/vectors.json`: what the original Python module makes of the data
 * sets that the tests share. Needs python3 with numpy.
 *
 *     deno run -A tests/vectors/int4_generate.ts
 *
 * @module
 */
import { adversarial } from "../adversarial.ts";

const LENGTHS = [1, 2, 3, 7, 31, 32, 33, 64, 257, 1000, 4099];

const PYTHON = `
import sys, json, hashlib
import numpy as np
from original import *

def sha(a):
    # A NaN (0 times an infinite scale) has many bit patterns; take one.
    if a.dtype == np.float32: a = np.where(np.isnan(a), np.float32(np.nan), a)
    return hashlib.sha256(a.tobytes()).hexdigest()[:16]

def grouped(values, shape, size, method):
    f = np.float32
    rows = values.reshape(shape)
    codes, scales, zero_points, restored = [], [], [], []
    for row in rows:
        nibbles = []
        for at in range(0, shape[1], size):
            x = row[at:at + size]
            low, high = x.min(), x.max()
            if method == "affine": low, high = min(low, f(0)), max(high, f(0))
            scale = np.abs(x).max() / f(7) if method == "absmax" else (high - low) / f(15)
            if scale == 0: scale = f(1)
            zero = np.clip(np.rint(f(-8) - low / scale), -8, 7) if method == "affine" else f(0)
            q = np.clip(np.rint(x / scale) + zero, -8, 7).astype(np.int8)
            nibbles.append(q)
            scales.append(scale)
            zero_points.append(zero)
            restored.append((q.astype(f) - zero) * scale)
        codes.append(pack_int4_to_int8(np.concatenate(nibbles)))
    return {
        "codes": sha(np.concatenate(codes)), "scales": sha(np.array(scales, dtype=f)),
        "zeroPoints": sha(np.array(zero_points).astype(np.int8)),
        "dequantized": sha(np.concatenate(restored).astype(f)),
    }

def saturating(values, scale):
    # The one deliberate difference: clip before the cast to int8, which wraps.
    return np.clip(np.round(values / scale), -8, 7).astype(np.int8)

out, groups = [], []
np.seterr(all="ignore")
for line in sys.stdin:
    job = json.loads(line)
    values = np.fromfile(job["path"], dtype="<f4")
    for method in ("minmax", "absmax"):
        quantized, scale, zero_point = quantize_to_int4(values, method)
        wraps = bool(np.any(np.abs(np.round(values / np.float32(scale))) >= 128))
        if wraps: quantized = saturating(values, scale)
        packed = pack_int4_to_int8(quantized)
        out.append({
            "set": job["set"], "length": len(values), "method": method, "wraps": wraps,
            "values": sha(values), "scale": "%08x" % np.float32(scale).view(np.uint32),
            "quantized": sha(quantized), "packed": sha(packed),
            "unpacked": sha(unpack_int8_to_int4(packed).astype(np.int8)),
            "dequantized": sha(dequantize_from_int4(quantized, scale)),
        })
    for shape, size in (((4, 250), 32), ((4, 250), 20), ((5, 200), 7), ((2, 500), 500)):
        if len(values) != shape[0] * shape[1]: continue
        for method in ("absmax", "minmax", "affine"):
            groups.append({
                "set": job["set"], "shape": shape, "groupSize": size, "method": method,
                **grouped(values, shape, size, method),
            })
print(json.dumps({"numpy": np.__version__, "vectors": out, "groups": groups}, indent=0))
`;

const directory = await Deno.makeTempDir();
try {
  const jobs: string[] = [];
  for (const length of LENGTHS) {
    for (const [set, values] of Object.entries(adversarial(length))) {
      const path = `${directory}/${jobs.length}.f32`;
      await Deno.writeFile(path, new Uint8Array(values.buffer));
      jobs.push(JSON.stringify({ path, set }));
    }
  }
  const child = new Deno.Command("python3", {
    args: ["-c", PYTHON],
    env: {
      PYTHONPATH: new URL("../../bench/peers", import.meta.url).pathname,
      PYTHONDONTWRITEBYTECODE: "1",
    },
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(jobs.join("\n") + "\n"));
  await writer.close();
  const { success, stdout } = await child.output();
  if (!success) throw new Error("python3 with numpy is needed");
  const target = new URL("int4/vectors.json", import.meta.url);
  await Deno.writeFile(target, stdout);
} finally {
  await Deno.remove(directory, { recursive: true });
}
