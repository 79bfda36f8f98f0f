/**
 * Deno itself where V8 may make no machine code, and so has no WebAssembly:
 * the real absence of it, not a pretended one.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  assertSameHashes,
  execute,
  expectedResults,
  only,
  root,
  succeed,
} from "./workshop.ts";

/** An interpreter takes too long over formats that search for their scales. */
const formats = ["int4", "q4_0", "mxfp4"];

const program = `
import * as nibblewise from "./mod.ts";
import { smoke } from "./tests/runtimes/smoke.ts";
console.log(JSON.stringify(smoke(nibblewise, ${JSON.stringify(formats)})));
`;

const asksForWasm = `
import { useBackend } from "./mod.ts";
useBackend("wasm");
`;

/** Runs a program as a module in the root of the checkout. */
const flags = ["eval", "--quiet", "--ext=ts"];

Deno.test("without WebAssembly, plain JS gives the same bytes", async () => {
  const expected = only(expectedResults()[0], formats);
  const result = JSON.parse(
    await succeed(
      Deno.execPath(),
      [...flags, "--v8-flags=--jitless", program],
      { cwd: root },
    ),
  );
  assertEquals(result.backend, "js");
  assertSameHashes(result, expected, "Deno without WebAssembly");
});

Deno.test("without WebAssembly, asking for it is an error that says so", async () => {
  const refused = await execute(Deno.execPath(), [
    ...flags,
    "--v8-flags=--jitless",
    asksForWasm,
  ], { cwd: root });
  assertEquals(refused.code, 1);
  assertStringIncludes(refused.stderr, "WebAssembly does not work here");
  const accepted = await execute(Deno.execPath(), [...flags, asksForWasm], {
    cwd: root,
  });
  assertEquals(accepted.code, 0, accepted.stderr);
});
