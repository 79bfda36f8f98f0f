/**
 * The limits on what a file may claim, each with the attack that it stops.
 *
 * @module
 */

/**
 * Bytes of a safetensors header; the reference library's limit.
 *
 * Stops a length field that makes the reader swallow a file of any size as text.
 */
export const SAFETENSORS_HEADER_BYTES = 100_000_000;

/**
 * Characters of a `.npy` header; numpy's own limit.
 *
 * Stops a four-byte length field that makes the reader parse gigabytes.
 */
export const NPY_HEADER_BYTES = 10_000;

/**
 * Nesting of JSON in a header; a proper one is four deep.
 *
 * Stops ten thousand opening brackets from overflowing the stack.
 */
export const JSON_DEPTH = 16;

/**
 * Values of JSON in a header; a tensor takes eight or nine of them.
 *
 * Stops a hundred megabytes of `[],[],[],` from becoming gigabytes of objects.
 */
export const JSON_VALUES = 4_194_304;

/**
 * Values of JSON in the entry of one tensor: two fields, two offsets and a shape of 64 dimensions.
 *
 * Stops an entry that spends the file on a shape of millions of ones.
 */
export const TENSOR_VALUES = 128;

/**
 * Texts in the metadata of a safetensors file; the largest published ones have some dozens.
 *
 * Stops a hundred megabytes of `"a":"",` from becoming gigabytes of strings.
 */
export const METADATA_COUNT = 65_536;

/**
 * Dimensions of a tensor; numpy's own limit.
 *
 * Stops a shape of a million ones, over which every loop about shapes would run.
 */
export const TENSOR_RANK = 64;

/**
 * Tensors in a file; the largest published checkpoints have some ten thousand in a shard.
 *
 * Stops a header that spends its bytes on millions of empty tensors, each of
 * which costs a hundred times its bytes in memory.
 */
export const TENSOR_COUNT = 1_000_000;

/**
 * Bytes of a GGUF header, metadata and tensor records; the largest vocabularies take some tens of megabytes.
 *
 * Stops a string or an array as large as a sparse file from being kept in memory.
 */
export const GGUF_HEADER_BYTES = 256 * 1024 * 1024;

/**
 * Metadata values of a GGUF; models have less than a hundred.
 *
 * Stops values of 14 bytes, each of which costs twenty times that as an object.
 */
export const GGUF_VALUE_COUNT = 65_536;

/**
 * Bytes of a GGUF metadata key; the specification's limit.
 *
 * Stops a key of megabytes, which would be compared, copied and printed.
 */
export const GGUF_KEY_BYTES = 65_535;

/**
 * Bytes of a GGUF tensor name; ggml has 64 with the NUL at the end.
 *
 * Stops names that differ for us and are one when ggml has cut them.
 */
export const GGUF_NAME_BYTES = 63;

/**
 * Elements of a GGUF metadata array; the largest vocabularies have a million.
 *
 * Stops an array of single bytes, each of which costs ten times that once it is decoded.
 */
export const GGUF_ARRAY_LENGTH = 16_777_216;

/**
 * Dimensions of a GGUF tensor; ggml has arrays of four.
 *
 * Stops a record that spends a file on dimensions.
 */
export const GGUF_RANK = 4;

/**
 * Files of a split GGUF or of a checkpoint, all open at a time; the largest models come in some hundreds.
 *
 * Stops a count of 65,535, or an index of as many names, that takes all file handles.
 */
export const SHARDS = 1000;

/**
 * Alignment of GGUF data; two mebibytes are a huge page.
 *
 * Stops metadata that, once copied, pads each tensor of an output by gigabytes.
 */
export const GGUF_ALIGNMENT = 2 * 1024 * 1024;

/**
 * Bytes of a part that is a text, such as bitsandbytes' `quant_state`; real ones have some hundred.
 *
 * Stops an entry of gigabytes from being read as JSON.
 */
export const TEXT_PART_BYTES: number = 64 * 1024;

/**
 * Bytes of a checkpoint's `config.json`; one that lists every layer has less than a megabyte.
 *
 * Stops whatever file has that name from being kept in memory.
 */
export const CONFIG_BYTES: number = 16 * 1024 * 1024;

/**
 * Bytes of an ONNX file; protobuf's own limit, beyond which its readers fail.
 *
 * Stops lengths that other programs would take for negative ones.
 */
export const ONNX_BYTES: number = 2 ** 31 - 1;

/**
 * Fields of an ONNX file that are looked at; the largest models have some hundred thousand.
 *
 * Stops gigabytes of fields of two bytes each, which would take hours.
 */
export const ONNX_FIELDS = 4_194_304;

/**
 * Bytes of a name, a key or a path in an ONNX file; real ones have less than a hundred.
 *
 * Stops names of megabytes, which would be compared, copied and printed.
 */
export const ONNX_TEXT_BYTES = 4096;

/**
 * Bytes that numbers of an ONNX file take in memory where they lie in it with varying lengths;
 * exporters have only small tensors so.
 *
 * Stops a model of a million varints from taking eight times its size.
 */
export const ONNX_DECODED_BYTES: number = 256 * 1024 * 1024;

/**
 * Files beside an ONNX file that its tensors lie in, all open at a time; most models have one.
 *
 * Stops a model that takes all file handles.
 */
export const ONNX_DATA_FILES = 512;

/**
 * Bytes of an importance file; those of the largest models take some hundred megabytes.
 *
 * Stops a file of any size from being read into memory as a whole.
 */
export const IMATRIX_BYTES = 2_000_000_000;

/**
 * Bytes of the index of a checkpoint; that of a hundred thousand tensors has some ten megabytes.
 *
 * Stops whatever file has that name from being kept in memory.
 */
export const INDEX_BYTES: number = 100 * 1000 * 1000;

/**
 * Bytes of the file in which Lucene tells of vectors; a field takes less than a hundred,
 * and 21 for each 65,536 vectors.
 *
 * Stops a file of any size from being kept in memory.
 */
export const LUCENE_META_BYTES: number = 16 * 1024 * 1024;

/**
 * Nesting of XML; bodies of loops in a graph are six deep each.
 *
 * Stops a document of opening tags, each of which is kept until it ends.
 */
export const XML_DEPTH = 64;

/**
 * Attributes of an element; those of graphs have less than ten.
 *
 * Stops an element of millions of them.
 */
export const XML_ATTRIBUTES = 256;

/**
 * Bytes of the graph of an OpenVINO model; those of the largest have some ten megabytes.
 *
 * Stops whatever file has that name from being kept in memory.
 */
export const OPENVINO_XML_BYTES: number = 256 * 1024 * 1024;

/**
 * Bytes of the name of a tensor in a TensorFlow Lite model: converters join those of all
 * operators that they make one, to some hundred each.
 *
 * Stops names of megabytes, which would be compared, copied and printed.
 */
export const TFLITE_NAME_BYTES = 65_535;

/**
 * Nesting of graphs in an ONNX file; real ones have two or three.
 *
 * Stops bodies within bodies, each of which is on the stack while it is read.
 */
export const ONNX_DEPTH = 16;

/**
 * Files in an `.npz`; real ones have some hundred arrays.
 *
 * Stops a directory of millions of empty files, each of which costs memory.
 */
export const ZIP_ENTRIES = 65_536;

/**
 * Bytes of the directory of an `.npz`: {@linkcode ZIP_ENTRIES} with names of a thousand bytes.
 *
 * Stops a directory as large as a sparse file from being kept in memory.
 */
export const ZIP_DIRECTORY_BYTES: number = 64 * 1024 * 1024;

/**
 * Bytes that the deflated arrays of an `.npz` take on disk together, inflated; larger ones are stored as they are.
 *
 * Stops an archive of some ten megabytes from filling the disk.
 */
export const ZIP_INFLATED_BYTES: number = 2 ** 35;

/**
 * How many times its size deflated data can be at most, by its own rules.
 *
 * Stops a size that cannot be true before anything is inflated.
 */
export const DEFLATE_RATIO = 1032;

/**
 * Bytes of a file of a tokenizer; those of the largest vocabularies have some forty megabytes.
 *
 * Stops whatever file has that name from being turned into strings.
 */
export const TOKENIZER_BYTES: number = 128 * 1024 * 1024;

/**
 * Tokens of a vocabulary; the largest published ones have a million.
 *
 * Stops a `vocab_size` that asks for billions of tokens to fill it.
 */
export const VOCABULARY_TOKENS = 4_194_304;

/**
 * How many times as many bytes are read of an HDF5 file, without its data, as it has.
 *
 * Stops a file whose records all lead to the same long ones.
 */
export const HDF5_TIMES = 4;

/**
 * Groups within groups of an HDF5 file; those of nested models in Keras have some ten.
 *
 * Stops groups within groups, each of which is on the stack while it is read.
 */
export const HDF5_DEPTH = 64;

/**
 * Characters of a path in an HDF5 file; those of nested models have some hundred.
 *
 * Stops names of megabytes, which would be compared, copied and printed.
 */
export const HDF5_PATH_BYTES = 1024;

/**
 * Bytes of an attribute of an HDF5 file that is read as text, such as the name of a layer.
 *
 * Stops texts of megabytes; that of a whole model in old files of Keras is not needed.
 */
export const HDF5_TEXT_BYTES = 1024;

/**
 * Bytes of `metadata.json` in a `.keras` archive; Keras writes less than a hundred.
 *
 * Stops whatever file has that name from being turned into strings.
 */
export const KERAS_METADATA_BYTES = 65_536;
