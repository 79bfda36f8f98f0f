"""Other libraries' search in 4 and 8 bits, on vectors that the parent writes.

Reads one JSON request a line: {"command": "load", ...} or {"command": "search", "name": ...};
answers each with one line of JSON. Cosine: everything is normalized first.
"""
import json
import sys
import time

import numpy


def unit(rows):
    return rows / numpy.maximum(numpy.linalg.norm(rows, axis=1, keepdims=True), 1e-30)


def faiss_peers(rows, dimension):
    import faiss

    faiss.omp_set_num_threads(1)

    def index(name, make):
        def build():
            made = make()
            made.train(rows)
            made.add(rows)
            return lambda queries, k: made.search(queries, k)[1]

        return name, build

    inner = faiss.METRIC_INNER_PRODUCT
    yield index(
        f"faiss {faiss.__version__} QT_4bit, 4 bits",
        lambda: faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_4bit, inner),
    )
    yield index(
        f"faiss {faiss.__version__} RaBitQ, 4 bits",
        lambda: faiss.IndexRaBitQ(dimension, inner, 4),
    )


def usearch_peers(rows, dimension):
    import usearch
    from usearch.index import Index, MetricKind, ScalarKind

    def build():
        # Its own conversion to int8, which takes values to lie between -1 and 1.
        made = Index(ndim=dimension, metric=MetricKind.Cos, dtype=ScalarKind.I8)
        made.add(numpy.arange(len(rows)), rows)
        return lambda queries, k: made.search(queries, k, exact=True, threads=1).keys

    yield f"usearch {usearch.__version__} i8 exact, 8 bits", build


def main():
    peers, ready, queries = {}, {}, None
    for line in sys.stdin:
        request = json.loads(line)
        if request["command"] == "load":
            dimension = request["dimension"]
            rows = unit(numpy.fromfile(request["rows"], numpy.float32).reshape(-1, dimension))
            queries = unit(numpy.fromfile(request["queries"], numpy.float32).reshape(-1, dimension))
            for make in (faiss_peers, usearch_peers):
                try:
                    peers.update(make(rows, dimension))
                except ImportError:
                    pass
            answer = {"names": list(peers)}
        else:
            name = request["name"]
            if name not in ready:
                ready[name] = peers[name]()
            some = queries[: request["count"]]
            start = time.perf_counter_ns()
            ids = ready[name](some, request["k"])
            answer = {
                "nanoseconds": time.perf_counter_ns() - start,
                "ids": numpy.asarray(ids).astype(int).tolist(),
            }
        print(json.dumps(answer), flush=True)


main()
