/**
 * Runs kernels in WebAssembly: in the memory where the data is, or tile by tile in
 * one to which it is copied.
 *
 * @module
 */
import {
  type Instance,
  instanceOf,
  restore,
  scratchEnd,
  tileInstance,
} from "./arena.ts";
import {
  byteCount,
  isWhole,
  LONG_STRETCH,
  type Operand,
  stretchOf,
  TILES_START,
  type Work,
} from "./work.ts";

/** Bytes copied per tile: few enough for the first cache or the near end of the second, enough to make calls rare. */
const TILE_BYTES = 73728;

/** An operand as the tile loop sees it. */
interface Slot {
  readonly operand: Operand;
  /** Where its bytes are in WebAssembly memory: the array itself, or its tile. */
  readonly address: number;
  /** The array's bytes, where they have to be copied in or out; undefined where the array lives in the memory. */
  readonly bytes: Uint8Array | undefined;
  /** The tile they are copied to. */
  readonly tile: Uint8Array | undefined;
}

/** Runs a kernel over all values of a work. */
export function runWasm(work: Work): void {
  const { operands, step, count } = work;
  const { instance, stretch } = choosePlace(work);
  const memory = new Uint8Array(instance.memory.buffer);
  restore(instance, memory);
  let free = TILES_START;
  const slots = operands.map((operand): Slot => {
    const { buffer, byteOffset, byteLength } = operand.array;
    if (buffer === memory.buffer) {
      return {
        operand,
        address: byteOffset,
        bytes: undefined,
        tile: undefined,
      };
    }
    // A tile that sits like its array modulo 64 is copied faster.
    const address = align(free) +
      (stretch < count ? placeInLine(byteOffset) : 0);
    free = address + byteCount(operand, stretch, step);
    return {
      operand,
      address,
      bytes: new Uint8Array(buffer, byteOffset, byteLength),
      tile: memory.subarray(address, free),
    };
  });
  for (const { operand, bytes, tile } of slots) {
    if (bytes && isWhole(operand) && operand.access !== "write") {
      tile!.set(bytes);
    }
  }
  runTiles(work, instance, slots, stretch);
  for (const { operand, bytes, tile } of slots) {
    if (bytes && isWhole(operand) && operand.access !== "read") {
      bytes.set(tile!);
    }
  }
}

function align(address: number): number {
  return Math.ceil(address / 64) * 64;
}

/** Where a work is done, and how many values go into a call. */
interface Place {
  readonly instance: Instance;
  readonly stretch: number;
}

/** How many values go into a call where operands outside of `inside` are copied, and how many bytes of tiles that takes. */
function tiling(
  { operands, step, count }: Work,
  inside: ArrayBufferLike | undefined,
): { stretch: number; bytes: number } {
  const most = Math.min(count, stretchOf(LONG_STRETCH, step));
  let copied = 0;
  for (const operand of operands) {
    if (operand.array.buffer !== inside && !isWhole(operand)) {
      copied += byteCount(operand, most, step);
    }
  }
  const stretch = copied <= TILE_BYTES
    ? most
    : stretchOf(TILE_BYTES * most / copied, step);
  let bytes = 0;
  for (const operand of operands) {
    if (operand.array.buffer === inside) continue;
    // Aligned to 64, and up to 63 further on.
    bytes += byteCount(operand, stretch, step) + 128;
  }
  return { stretch, bytes };
}

/** The arena that the largest operand of any arena lives in, if what has to be copied has room there; or else the tiles. */
function choosePlace(work: Work): Place {
  const { module } = work.kernel;
  let largest = -1, arena: Instance | undefined;
  for (const { array } of work.operands) {
    const instance = array.byteLength > largest
      ? instanceOf(array, module)
      : undefined;
    if (instance) [arena, largest] = [instance, array.byteLength];
  }
  if (arena && !work.operands.some((operand) => isBelow(operand, arena))) {
    const { stretch, bytes } = tiling(work, arena.memory.buffer);
    if (TILES_START + bytes <= scratchEnd(arena)) {
      return { instance: arena, stretch };
    }
  }
  const { stretch, bytes } = tiling(work, undefined);
  return { instance: tileInstance(bytes, module), stretch };
}

/** Whether an array lies where the arena has its constants and tiles: a caller made it from the buffer of another. */
function isBelow({ array }: Operand, arena: Instance): boolean {
  return array.buffer === arena.memory.buffer &&
    array.byteOffset < scratchEnd(arena);
}

function runTiles(
  work: Work,
  instance: Instance,
  slots: readonly Slot[],
  stretch: number,
): void {
  const { count, step } = work;
  const kernel = instance.kernels[work.kernel.name];
  const call = [
    0,
    ...slots.map((slot) => slot.address),
    ...(work.numbers ?? []),
  ];
  const tiles = Math.ceil(count / stretch);
  for (let t = 0; t < tiles; t++) {
    const first = (work.backwards ? tiles - 1 - t : t) * stretch,
      n = Math.min(stretch, count - first);
    call[0] = n;
    for (let i = 0; i < slots.length; i++) {
      const { bytes, operand, address, tile } = slots[i];
      if (isWhole(operand)) continue;
      const start = byteCount(operand, first, step);
      if (!bytes) call[i + 1] = address + start;
      else if (operand.access !== "write") {
        tile!.set(bytes.subarray(start, start + byteCount(operand, n, step)));
      }
    }
    if (kernel(...call) !== 0) {
      work.again(first, n);
      continue;
    }
    for (const { bytes, operand, tile } of slots) {
      if (!bytes || operand.access === "read" || isWhole(operand)) continue;
      const size = byteCount(operand, n, step);
      bytes.set(
        size === tile!.length ? tile! : tile!.subarray(0, size),
        byteCount(operand, first, step),
      );
    }
  }
}

// Where large arrays start modulo 64 differs between engines (V8 often 16,
// JavaScriptCore 0) and cannot be asked, so it is measured, once.
let measuredOffset: number | undefined;

/** Where a tile should start modulo 64 that is copied from or to an array elsewhere, by the array's offset: one that sits alike is copied faster. */
export function placeInLine(byteOffset: number): number {
  measuredOffset ??= fastestOffset(tileInstance(2 * PROBE_TILE));
  return (byteOffset + measuredOffset) & 63;
}

const OFFSETS = [16, 0, 32, 48];

/** Bytes of an array that lies as large ones do: small ones may start anywhere. */
const LARGE_BYTES = 1 << 20;

/** Bytes copied for a probe: a tile many times over. */
const PROBE_BYTES = 65536;

const PROBE_TILE = 8192;

function fastestOffset({ memory }: Instance): number {
  const array = new Uint8Array(LARGE_BYTES);
  const tiles = OFFSETS.map((offset) =>
    new Uint8Array(memory.buffer, align(TILES_START) + offset, PROBE_TILE)
  );
  const best = OFFSETS.map(() => Infinity);
  for (let round = 0; round < 8; round++) {
    tiles.forEach((tile, i) => {
      const start = performance.now();
      for (let k = 0; k < 4; k++) copyBoth(array, tile);
      best[i] = Math.min(best[i], performance.now() - start);
    });
  }
  return OFFSETS[best.indexOf(Math.min(...best))];
}

/** Copies an array to a tile and back, as far as a probe goes. */
function copyBoth(array: Uint8Array, tile: Uint8Array): void {
  for (let at = 0; at < PROBE_BYTES; at += PROBE_TILE) {
    tile.set(array.subarray(at, at + PROBE_TILE));
    array.set(tile, at);
  }
}
