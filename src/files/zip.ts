/**
 * The directory of a zip archive: what is in it, and where.
 *
 * ```text
 * files      PK\3\4, 26 bytes, name, more, the data     one after the other
 * directory  PK\1\2, 42 bytes, name, more, a comment    one for each file
 * end        PK\6\6 and PK\6\7 where 32 bits do not do (zip64); PK\5\6, 18 bytes, a comment
 * ```
 *
 * Only the directory is believed, and only as far as the file bears it out:
 * every file lies before the directory, none over another.
 *
 * Source: PKWARE's APPNOTE.TXT, 4.3.
 *
 * @module
 */
import type { ByteSource } from "./bytes.ts";
import { printable, quote } from "./errors.ts";
import { InflatedSource } from "./inflate.ts";
import { DEFLATE_RATIO, ZIP_DIRECTORY_BYTES, ZIP_ENTRIES } from "./limits.ts";

/** A file in an archive. */
export interface ZipEntry {
  /** Its name, folders and all. */
  readonly name: string;
  /** Whether its data are deflated; otherwise they lie there as they are. */
  readonly deflated: boolean;
  /** Where its data start in the archive. */
  readonly offset: number;
  /** Bytes of its data in the archive. */
  readonly storedBytes: number;
  /** Bytes of the file itself. */
  readonly size: number;
  /** The CRC-32 of the file itself. */
  readonly crc: number;
}

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;

const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const END_BYTES = 22;
const END64_BYTES = 56;
const LOCATOR64_BYTES = 20;
/** A comment at the end has a length of 16 bits. */
const COMMENT_BYTES = 65_535;

/** Stands where a number of 32 bits does not do. */
const IN_ZIP64 = 0xffffffff;
const IN_ZIP64_16 = 0xffff;
/** The kind of record that such numbers are in. */
const ZIP64_ID = 1;

const ENCRYPTED = 1;
const STORED = 0, DEFLATED = 8;

/** Where the directory is. */
interface Directory {
  readonly count: number;
  readonly offset: number;
  readonly bytes: number;
}

/** A file as the directory has it. */
interface Listed extends Omit<ZipEntry, "offset"> {
  /** Where its record before the data starts. */
  readonly at: number;
}

/**
 * Reads the directory of an archive and checks it against the file.
 *
 * @param source The archive.
 * @returns Its files in the order in which they lie there.
 * @throws {SyntaxError} If it is no archive, damaged, or lies about itself.
 */
export async function readZip(source: ByteSource): Promise<ZipEntry[]> {
  const directory = await findDirectory(source);
  const { count, offset, bytes } = directory;
  if (count > ZIP_ENTRIES || bytes > ZIP_DIRECTORY_BYTES) {
    throw new SyntaxError(
      `its directory of ${count} files in ${bytes} bytes is above the limit of ${ZIP_ENTRIES} in ${ZIP_DIRECTORY_BYTES}`,
    );
  }
  if (count * CENTRAL_BYTES > bytes || offset + bytes > source.size) {
    throw new SyntaxError(
      `its directory of ${count} files is said to be ${bytes} bytes at ${offset}, and the file has ${source.size}`,
    );
  }
  const records = await readBytes(source, offset, bytes);
  const listed = listedIn(records, count);
  listed.sort((a, b) => a.at - b.at);
  const entries: ZipEntry[] = [];
  let end = 0;
  for (const file of listed) {
    if (file.at < end) {
      throw new SyntaxError(`its file ${quote(file.name)} lies over another`);
    }
    const entry = await locate(source, file, offset);
    entries.push(entry);
    end = entry.offset + entry.storedBytes;
  }
  return entries;
}

/** A file of the archive as a source. */
export function zipMember(archive: ByteSource, entry: ZipEntry): ByteSource {
  const name = `${archive.name}, ${printable(entry.name)}`;
  if (entry.deflated) {
    return new InflatedSource(name, { ...entry, source: archive });
  }
  const { size, offset: start } = entry;
  return {
    name,
    size,
    // deno-lint-ignore require-await -- a failed check must reject, not throw
    async read(offset, into) {
      if (offset + into.length > size) {
        throw new RangeError(
          `Cannot read ${name} at byte ${offset}: ${into.length} bytes are not all there`,
        );
      }
      return archive.read(start + offset, into);
    },
    close: () => Promise.resolve(),
  };
}

async function findDirectory(source: ByteSource): Promise<Directory> {
  const tail = Math.min(source.size, END_BYTES + COMMENT_BYTES);
  const start = source.size - tail;
  const view = viewOf(await readBytes(source, start, tail));
  for (let at = tail - END_BYTES; at >= 0; at--) {
    const isEnd = view.getUint32(at, true) === END &&
      at + END_BYTES + view.getUint16(at + 20, true) === tail;
    if (!isEnd) continue;
    const found = {
      count: view.getUint16(at + 10, true),
      bytes: view.getUint32(at + 12, true),
      offset: view.getUint32(at + 16, true),
    };
    const isWide = found.count === IN_ZIP64_16 || found.bytes === IN_ZIP64 ||
      found.offset === IN_ZIP64;
    return isWide ? await findWide(source, start + at) ?? found : found;
  }
  throw new SyntaxError("it has no directory at its end; it may be cut off");
}

/** The directory where 32 bits do not do; undefined where 65,535 files are just that. */
async function findWide(
  source: ByteSource,
  end: number,
): Promise<Directory | undefined> {
  if (end < LOCATOR64_BYTES) return undefined;
  const locator = viewOf(
    await readBytes(source, end - LOCATOR64_BYTES, LOCATOR64_BYTES),
  );
  if (locator.getUint32(0, true) !== LOCATOR64) return undefined;
  const at = wide(locator, 8);
  if (at + END64_BYTES > end) throw new SyntaxError("its end points beyond it");
  const view = viewOf(await readBytes(source, at, END64_BYTES));
  if (view.getUint32(0, true) !== END64) {
    throw new SyntaxError(`its end points to byte ${at}, where no other is`);
  }
  return {
    count: wide(view, 32),
    bytes: wide(view, 40),
    offset: wide(view, 48),
  };
}

function listedIn(records: Uint8Array, count: number): Listed[] {
  const view = viewOf(records);
  const names = new Set<string>();
  const listed: Listed[] = [];
  let at = 0;
  for (let no = 0; no < count; no++) {
    if (
      at + CENTRAL_BYTES > records.length ||
      view.getUint32(at, true) !== CENTRAL
    ) {
      throw new SyntaxError(`its directory breaks off before file ${no}`);
    }
    const [name, extra, comment] = [28, 30, 32].map((field) =>
      view.getUint16(at + field, true)
    );
    const next = at + CENTRAL_BYTES + name + extra + comment;
    if (next > records.length) {
      throw new SyntaxError(`its directory breaks off in file ${no}`);
    }
    const from = at + CENTRAL_BYTES;
    const file = listedAt(
      view,
      at,
      textOf(records.subarray(from, from + name)),
      records.subarray(from + name, from + name + extra),
    );
    if (names.has(file.name)) {
      throw new SyntaxError(`it holds ${quote(file.name)} twice`);
    }
    names.add(file.name);
    listed.push(file);
    at = next;
  }
  return listed;
}

function listedAt(
  view: DataView,
  at: number,
  name: string,
  extra: Uint8Array,
): Listed {
  const method = view.getUint16(at + 10, true);
  if (view.getUint16(at + 8, true) & ENCRYPTED) {
    throw new SyntaxError(`its file ${quote(name)} is encrypted`);
  }
  if (method !== STORED && method !== DEFLATED) {
    throw new SyntaxError(
      `its file ${
        quote(name)
      } is compressed by method ${method}; only stored and deflated ones are read`,
    );
  }
  const [size, storedBytes, where] = widened(name, extra, [
    view.getUint32(at + 24, true),
    view.getUint32(at + 20, true),
    view.getUint32(at + 42, true),
  ]);
  const deflated = method === DEFLATED;
  const possible = deflated
    ? size <= storedBytes * DEFLATE_RATIO
    : size === storedBytes;
  if (!possible) {
    throw new SyntaxError(
      `its file ${
        quote(name)
      } cannot be ${size} bytes, ${storedBytes} in the archive`,
    );
  }
  const crc = view.getUint32(at + 16, true);
  return { name, deflated, storedBytes, size, at: where, crc };
}

/** Numbers of 32 bits, those that do not fit read from the record behind the name. */
function widened(
  name: string,
  extra: Uint8Array,
  numbers: readonly number[],
): number[] {
  if (!numbers.includes(IN_ZIP64)) return [...numbers];
  const view = viewOf(extra);
  for (let at = 0; at + 4 <= extra.length;) {
    const length = view.getUint16(at + 2, true);
    const end = at + 4 + length;
    if (end > extra.length) break;
    if (view.getUint16(at, true) === ZIP64_ID) {
      let from = at + 4;
      return numbers.map((number) => {
        if (number !== IN_ZIP64) return number;
        if (from + 8 > end) throw new SyntaxError(missing(name));
        from += 8;
        return wide(view, from - 8);
      });
    }
    at = end;
  }
  throw new SyntaxError(missing(name));
}

function missing(name: string): string {
  return `its file ${quote(name)} does not say how large it is`;
}

/** Where the data of a file are: behind a record that has a name of its own. */
async function locate(
  source: ByteSource,
  { at, ...file }: Listed,
  before: number,
): Promise<ZipEntry> {
  const { name, storedBytes } = file;
  const outside = () =>
    new SyntaxError(
      `its file ${
        quote(name)
      } is said to be ${storedBytes} bytes at ${at}, where it is not`,
    );
  if (at + LOCAL_BYTES > before) throw outside();
  const view = viewOf(await readBytes(source, at, LOCAL_BYTES));
  if (view.getUint32(0, true) !== LOCAL) throw outside();
  const offset = at + LOCAL_BYTES + view.getUint16(26, true) +
    view.getUint16(28, true);
  if (offset + storedBytes > before) throw outside();
  return { ...file, offset };
}

async function readBytes(
  source: ByteSource,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  await source.read(offset, bytes);
  return bytes;
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** A number of 64 bits; what is beyond 2^53 is beyond any file. */
function wide(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}
