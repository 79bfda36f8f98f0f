"""Models as Keras saves them: generate.py, in this folder, with Keras 3.15.1 on JAX and h5py 3.16.0.

mixed.keras       layers of int4 among others: a group cut short, no bias, one scale an output, a model within
                  the model, a table of embeddings, int8, one output
mixed.safetensors what int4 layers of it are by Keras' own functions, as [out, in]
odd.weights.h5    a layer whose groups lie in another order
many.keras        a group of 300 datasets, whose names take a tree of several levels; its file is deflated
chunks.h5, latest.h5  datasets in chunks, and a file of HDF5's newest version: both are refused
"""

import io
import os
import zipfile

os.environ["KERAS_BACKEND"] = "jax"

import h5py
import keras
import numpy as np
from keras.src.quantizers import quantizers as kq
from safetensors.numpy import save_file

rng = np.random.default_rng(20261125)
INT4 = keras.quantizers.Int4QuantizationConfig


def filled(layer):
    layer.set_weights([(rng.standard_normal(w.shape) * 0.1).astype("float32") for w in layer.get_weights()])


def values_of(layer, outputs):
    codes = kq.unpack_int4(layer._kernel, outputs, axis=-1)
    if hasattr(layer, "kernel_zero"):
        made = kq.dequantize_with_sz_map(codes, layer.kernel_scale, layer.kernel_zero, layer.g_idx, group_axis=0)
    else:
        made = keras.ops.divide(keras.ops.cast(codes, "float32"), layer.kernel_scale)
    return np.ascontiguousarray(np.array(made, dtype="float32").T)


x, ids = keras.Input((20,)), keras.Input((3,))
first = keras.layers.Dense(7, use_bias=False, name="first")
inner = keras.Sequential([keras.layers.Dense(6, name="within"), keras.layers.Dense(4, name="bytes")], name="inner")
one = keras.layers.Dense(1, name="one")
table = keras.layers.Embedding(9, 4, name="table")
mixed = keras.Model([x, ids], one(inner(first(x)) + keras.ops.sum(table(ids), 1)), name="mixed")
for layer in [first, *inner.layers, one, table]:
    filled(layer)
first.quantize("int4", config=INT4(block_size=8))
inner.layers[0].quantize("int4", config=INT4(block_size=-1))
inner.layers[1].quantize("int8")
one.quantize("int4", config=INT4(block_size=-1))
table.quantize("int4", config=INT4(block_size=-1))
mixed.save("mixed.keras")
save_file({
    "layers/dense/kernel": values_of(first, 7),
    "layers/sequential/layers/dense/kernel": values_of(inner.layers[0], 6),
}, "mixed.safetensors")

odd = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3)])
odd.layers[0].quantize("int4", config=INT4(block_size=4))
odd.layers[0].g_idx.assign(np.array([0, 1, 0, 1, 0, 1, 0, 1], "float32"))
odd.save_weights("odd.weights.h5")

many = io.BytesIO()
with h5py.File(many, "w") as file:
    for i in range(300):
        file[f"group/vars/{i}"] = np.array([i], "int16")
with zipfile.ZipFile("many.keras", "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("metadata.json", "{}")
    archive.writestr("model.weights.h5", many.getvalue())
with h5py.File("chunks.h5", "w") as file:
    file.create_dataset("chunked", data=np.arange(8, dtype="float32"), chunks=(4,))
with h5py.File("latest.h5", "w", libver="latest") as file:
    file["x"] = np.arange(8, dtype="float32")
