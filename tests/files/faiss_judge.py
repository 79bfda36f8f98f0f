"""faiss judges an index: faiss_judge.py OURS.faiss THEIRS.faiss X.f32 DECODED.f32 KIND METRIC

Reads OURS, prints how many values it reconstructs differently from DECODED, and writes
what faiss itself makes of the vectors X to THEIRS. Run with FAISS_SIMD_LEVEL=NONE.
"""
import sys

import faiss
import numpy as np

ours, theirs, x, decoded, kind, metric = sys.argv[1:]
index = faiss.read_index(ours)
values = index.reconstruct_n(0, index.ntotal)
expected = np.fromfile(decoded, np.float32).reshape(values.shape)
given = np.fromfile(x, np.float32).reshape(values.shape)
made = faiss.IndexScalarQuantizer(
    index.d, getattr(faiss.ScalarQuantizer, kind),
    faiss.METRIC_L2 if metric == "euclidean" else faiss.METRIC_INNER_PRODUCT)
made.train(given)
made.add(given)
faiss.write_index(made, theirs)
assert index.metric_type == made.metric_type
print(int((values.view(np.uint32) != expected.view(np.uint32)).sum()))
