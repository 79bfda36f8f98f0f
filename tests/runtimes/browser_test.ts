/**
 * The bundled module in headless Chromium: the same bytes, and the plain-JS
 * twin where a content security policy forbids WebAssembly.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import type { SmokeResult } from "./smoke.ts";
import {
  assertSameHashes,
  available,
  bundle,
  expectedResults,
  noteSkip,
} from "./workshop.ts";

/** Where Chromium and its relatives live. */
const candidates = [
  Deno.env.get("CHROMIUM"),
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

async function findChromium(): Promise<string | undefined> {
  for (const candidate of candidates) {
    if (candidate && await available(candidate, ["--version"])) {
      return candidate;
    }
  }
}

const chromium = await findChromium();
const withoutChromium = noteSkip(
  chromium === undefined,
  "no Chromium was found (name one in the environment variable CHROMIUM)",
);

/** Quiet, offline and without a sandbox, which containers do not allow. */
const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A page that gets stuck is given up after this many milliseconds. */
const patience = 120_000;

/** Runs the suite in the page and posts what came out, errors included. */
const page =
  `<!doctype html><meta charset="utf-8"><title>nibblewise</title><script type="module" src="/page.js"></script>`;
const script = `
const report = (body) => fetch("/report", { method: "POST", body: JSON.stringify(body) });
addEventListener("error", (event) => report({ error: String(event.message) }));
addEventListener("unhandledrejection", (event) => report({ error: String(event.reason?.stack ?? event.reason) }));
const nibblewise = await import("/mod.js");
const { smoke, smokeBoth } = await import("/smoke.js");
const both = new URLSearchParams(location.search).has("both");
await report({ results: both ? smokeBoth(nibblewise) : [smoke(nibblewise)] });
`;

/** What the page posts. */
interface Report {
  readonly results?: SmokeResult[];
  readonly error?: string;
}

/** Serves `folder` and the page under a content security policy; resolves `report` with what the page posts. */
function serve(folder: string, policy: string) {
  const report = Promise.withResolvers<Report>();
  const scripts: Record<string, () => Promise<string> | string> = {
    "/page.js": () => script,
    "/mod.js": () => Deno.readTextFile(join(folder, "mod.js")),
    "/smoke.js": () => Deno.readTextFile(join(folder, "smoke.js")),
  };
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/report") {
        report.resolve(await request.json());
        return new Response("ok");
      }
      if (pathname in scripts) {
        return new Response(await scripts[pathname](), {
          headers: { "content-type": "text/javascript" },
        });
      }
      if (pathname !== "/") return new Response("not found", { status: 404 });
      return new Response(page, {
        headers: {
          "content-type": "text/html",
          "content-security-policy": policy,
        },
      });
    },
  );
  return { server, report: report.promise };
}

/** Opens the page in a fresh browser and returns what it reports. */
async function visit(
  folder: string,
  policy: string,
  query: string,
): Promise<SmokeResult[]> {
  const { server, report } = serve(folder, policy);
  const profile = await Deno.makeTempDir({ prefix: "nibblewise-chromium-" });
  const browser = new Deno.Command(chromium!, {
    args: [
      ...flags,
      `--user-data-dir=${profile}`,
      `http://127.0.0.1:${server.addr.port}/${query}`,
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<Report>((resolve) => {
    timer = setTimeout(
      () => resolve({ error: `no report within ${patience} ms` }),
      patience,
    );
  });
  try {
    const { results, error } = await Promise.race([report, timeout]);
    assertEquals(error, undefined);
    assert(results);
    return results;
  } finally {
    clearTimeout(timer);
    browser.kill();
    await browser.status;
    await server.shutdown();
    // Chromium's helpers may still be writing their last files.
    await Deno.remove(profile, { recursive: true }).catch(() => {});
  }
}

Deno.test(
  { name: "the bundled module in Chromium", ignore: withoutChromium },
  async (t) => {
    const folder = await Deno.makeTempDir({ prefix: "nibblewise-browser-" });
    const [expected] = expectedResults();
    try {
      await bundle("mod.ts", join(folder, "mod.js"), "--minify");
      await bundle("tests/runtimes/smoke.ts", join(folder, "smoke.js"));

      await t.step("gives the same bytes, WASM and plain JS", async () => {
        const policy =
          "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
        const results = await visit(folder, policy, "?both");
        assertEquals(results.map((result) => result.backend), ["wasm", "js"]);
        for (const result of results) {
          assertSameHashes(result, expected, "Chromium");
        }
      });

      await t.step(
        "falls back to plain JS where the policy forbids WebAssembly",
        async () => {
          const results = await visit(
            folder,
            "default-src 'self'; script-src 'self'",
            "",
          );
          assertEquals(results.map((result) => result.backend), ["js"]);
          assertSameHashes(
            results[0],
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
