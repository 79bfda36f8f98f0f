/**
 * Reads HDF5 files as h5py writes them by default and Keras with it: groups in
 * groups, datasets in one stretch.
 *
 * ```text
 * head   89 48 44 46 0d 0a 1a 0a  u8 0 …  u64 start  u64  u64 end  u64, and an entry for the root
 * tree   TREE  u8 0  u8 level  u16 used  u64 u64; u64 and a place, for each node below
 * node   SNOD  u8 1  u8  u16 used; the entries
 * entry  u64 name, in the heap  u64 header  u32 kind (2 a link)  u32  16 bytes more
 * heap   HEAP  u8 0  3 more  u64 bytes  u64  u64 place
 * ```
 *
 * Source: HDF5 File Format Specification 3.0, superblock version 0.
 *
 * @module
 */
import type { ByteSource } from "./bytes.ts";
import { quote } from "./errors.ts";
import { Hdf5Bytes, type Record } from "./hdf5_bytes.ts";
import { type Dataset, type GroupPlace, readObject } from "./hdf5_objects.ts";
import { HDF5_DEPTH, HDF5_PATH_BYTES, TENSOR_COUNT } from "./limits.ts";

/** The first bytes of every HDF5 file, as Latin-1. */
export const HDF5_MAGIC = "\x89HDF\r\n\x1a\n";

/** A dataset and where it hangs. */
export interface NamedDataset extends Dataset {
  /** The names of its groups and its own, `layers/dense/vars/0`. */
  readonly path: string;
}

/** What a file holds. */
export interface Hdf5File {
  /** Its datasets, in the order of their paths in the file. */
  readonly datasets: readonly NamedDataset[];
  /** Texts that groups have as attributes, by their paths. */
  readonly texts: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

const HEAD_BYTES = 96, NODE_BYTES = 24, SYMBOLS_BYTES = 8, ENTRY_BYTES = 40;
const HEAP_BYTES = 32, LINKED = 2;

/**
 * Reads a file.
 *
 * @param source Its bytes.
 * @returns What it holds; the bytes of datasets are where they say.
 * @throws {SyntaxError} If it is no such file, or contradicts itself.
 * @throws {RangeError} If it is of a kind that is not read, or goes beyond a limit.
 */
export async function readHdf5(source: ByteSource): Promise<Hdf5File> {
  const reader = new Hdf5Reader(source);
  await reader.read();
  return reader;
}

/** A member of a group. */
interface Member {
  readonly name: string;
  readonly header: number;
}

class Hdf5Reader implements Hdf5File {
  readonly datasets: NamedDataset[] = [];
  readonly texts = new Map<string, ReadonlyMap<string, string>>();
  readonly #file: Hdf5Bytes;

  constructor(source: ByteSource) {
    this.#file = new Hdf5Bytes(source);
  }

  async read(): Promise<void> {
    const head = await this.#file.record(0, HEAD_BYTES, "its head");
    const magic = Array.from(HDF5_MAGIC, (c) => c.charCodeAt(0));
    if (magic.some((byte, i) => head.u8(i) !== byte)) {
      throw new SyntaxError("it does not start as HDF5 does");
    }
    if (head.u8(8) !== 0) {
      throw new RangeError(
        `it is HDF5 of version ${
          head.u8(8)
        }, and only 0 is read: write it with h5py's default libver`,
      );
    }
    if (head.u8(13) !== 8 || head.u8(14) !== 8 || head.u64(24) !== 0) {
      throw new RangeError("its places are not of 64 bits from its start on");
    }
    const end = head.size(40);
    if (end > this.#file.size) {
      throw new SyntaxError(
        `it ends at byte ${end} by its head, and has ${this.#file.size}`,
      );
    }
    await this.#readMember("", head.size(64), 0);
  }

  async #readMember(path: string, at: number, depth: number): Promise<void> {
    const what = path === "" ? "its root" : quote(path);
    const object = await readObject(this.#file, at, what);
    if (!object) return;
    if (object.dataset) {
      if (this.datasets.length >= TENSOR_COUNT) {
        throw new RangeError(
          `it has more than ${TENSOR_COUNT} datasets, the limit`,
        );
      }
      this.datasets.push({ ...object.dataset, path });
    }
    if (!object.group) return;
    if (depth >= HDF5_DEPTH) {
      throw new RangeError(
        `${what} is more than ${HDF5_DEPTH} groups deep, the limit`,
      );
    }
    if (object.texts.size > 0) this.texts.set(path, object.texts);
    for (const { name, header } of await this.#membersOf(object.group, what)) {
      const below = path === "" ? name : `${path}/${name}`;
      if (below.length > HDF5_PATH_BYTES) {
        throw new RangeError(
          `${
            quote(below)
          } has ${below.length} characters, above the limit of ${HDF5_PATH_BYTES}`,
        );
      }
      await this.#readMember(below, header, depth + 1);
    }
  }

  async #membersOf(
    { tree, heap }: GroupPlace,
    what: string,
  ): Promise<Member[]> {
    const called = `the names in ${what}`;
    const head = await this.#file.record(heap, HEAP_BYTES, called);
    head.expect("HEAP");
    const start = head.size(24), end = start + head.size(8);
    const names = await this.#file.record(start, end - start, called);
    const members: Member[] = [];
    await this.#readNode(tree, undefined, names, members, what);
    return members;
  }

  /** A node of the tree, and all below it. */
  async #readNode(
    at: number,
    level: number | undefined,
    names: Record,
    members: Member[],
    what: string,
  ): Promise<void> {
    const called = `the members of ${what}`;
    this.#file.visit(at, called);
    if (level === 0) return await this.#readSymbols(at, names, members, called);
    const head = await this.#file.record(at, NODE_BYTES, called);
    head.expect("TREE");
    const own = head.u8(5), used = head.u16(6);
    if (head.u8(4) !== 0 || level !== undefined && own !== level - 1) {
      throw new SyntaxError(`${called} are no tree of names`);
    }
    const length = 8 + 16 * used;
    const below = await this.#file.record(at + NODE_BYTES, length, called);
    for (let i = 0; i < used; i++) {
      await this.#readNode(below.size(8 + 16 * i), own, names, members, what);
    }
  }

  async #readSymbols(
    at: number,
    names: Record,
    members: Member[],
    called: string,
  ): Promise<void> {
    const head = await this.#file.record(at, SYMBOLS_BYTES, called);
    head.expect("SNOD");
    const used = head.u16(6), start = at + SYMBOLS_BYTES;
    const entries = await this.#file.record(start, used * ENTRY_BYTES, called);
    for (let i = 0; i < used; i++) {
      const entry = entries.part(i * ENTRY_BYTES, ENTRY_BYTES, called);
      const name = names.text(entry.size(0), HDF5_PATH_BYTES + 1);
      if (name === "" || name.includes("/")) {
        throw new SyntaxError(`${called} have the name ${quote(name)}`);
      }
      if (entry.u32(16) === LINKED) {
        throw new RangeError(
          `${called} have the link ${quote(name)}, which is not followed`,
        );
      }
      members.push({ name, header: entry.size(8) });
    }
  }
}
