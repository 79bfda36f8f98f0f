/**
 * The bundled module in headless Chromium: the same bytes, and the plain-JS
 * twin where a content security policy forbids WebAssembly.
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { visit, withoutChromium } from "./chromium.ts";
import type { SmokeResult } from "./smoke.ts";
import { assertSameHashes, bundle, expectedResults } from "./workshop.ts";

/** Runs the suite in the page and posts what came out, errors included. */
const script = `
const nibblewise = await import("/mod.js");
const { smoke, smokeBoth } = await import("/smoke.js");
const both = new URLSearchParams(location.search).has("both");
await report({ results: both ? smokeBoth(nibblewise) : [smoke(nibblewise)] });
`;

Deno.test(
  { name: "the bundled module in Chromium", ignore: withoutChromium },
  async (t) => {
    const folder = await Deno.makeTempDir({ prefix: "nibblewise-browser-" });
    const [expected] = expectedResults();
    try {
      await bundle("mod.ts", join(folder, "mod.js"), "--minify");
      await bundle("tests/runtimes/smoke.ts", join(folder, "smoke.js"));
      const read = (name: string) => Deno.readTextFile(join(folder, name));
      const scripts = {
        "/page.js": script,
        "/mod.js": await read("mod.js"),
        "/smoke.js": await read("smoke.js"),
      };
      const results = async (policy: string, query: string) => {
        const headers = { "content-security-policy": policy };
        return await visit(scripts, headers, query) as SmokeResult[];
      };

      await t.step("gives the same bytes, WASM and plain JS", async () => {
        const policy =
          "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
        const both = await results(policy, "?both");
        assertEquals(both.map((result) => result.backend), ["wasm", "js"]);
        for (const result of both) {
          assertSameHashes(result, expected, "Chromium");
        }
      });

      await t.step(
        "falls back to plain JS where the policy forbids WebAssembly",
        async () => {
          const policy = "default-src 'self'; script-src 'self'";
          const [plain] = await results(policy, "");
          assertEquals(plain.backend, "js");
          assertSameHashes(
            plain,
            expected,
            "Chromium without WebAssembly",
          );
        },
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);
