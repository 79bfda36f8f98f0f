/** Modules of kernels that work side by side in one memory. */
import { assert } from "@std/assert";
import { bytesOfHex } from "../../src/kernels/hex.ts";
import * as own from "../../src/kernels/own_modules.ts";

Deno.test("constants of modules that work side by side lie apart", () => {
  let end = 0;
  const places = [own.TURNED, own.RANKS, own.STEPS, own.TILES];
  for (const [, hex] of places) {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const { exports } = new WebAssembly.Instance(
      new WebAssembly.Module(bytesOfHex(hex)),
      { env: { memory, abort: () => {} } },
    );
    const { constants_end, scratch_start } = exports as unknown as Record<
      string,
      () => number
    >;
    const start = new Uint8Array(memory.buffer).findIndex((byte) => byte !== 0);
    assert(start >= end, `constants at ${start}, others end at ${end}`);
    end = constants_end();
    assert(start > 0 && end > start && scratch_start() > end);
  }
});
