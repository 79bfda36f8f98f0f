/**
 * Headless Chromium: where it is, and how a page in it reports back.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { available, noteSkip } from "./workshop.ts";

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
/** Whether tests of it are skipped. */
export const withoutChromium = noteSkip(
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

const page =
  `<!doctype html><meta charset="utf-8"><title>nibblewise</title><script type="module" src="/page.js"></script>`;

/** Comes before every script: what it calls to report, errors included. */
const reporter = `
const report = (body) => fetch("/report", { method: "POST", body: JSON.stringify(body) });
addEventListener("error", (event) => report({ error: String(event.message) }));
addEventListener("unhandledrejection", (event) => report({ error: String(event.reason?.stack ?? event.reason) }));
`;

/** What the page posts. */
interface Report {
  readonly results?: unknown;
  readonly error?: string;
}

/** Serves the page and its scripts under a content security policy; resolves `report` with what the page posts. */
function serve(
  scripts: Readonly<Record<string, string>>,
  headers: Record<string, string>,
) {
  const report = Promise.withResolvers<Report>();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/report") {
        report.resolve(await request.json());
        return new Response("ok");
      }
      if (pathname in scripts) {
        const prefix = pathname === "/page.js" ? reporter : "";
        return new Response(prefix + scripts[pathname], {
          headers: { ...headers, "content-type": "text/javascript" },
        });
      }
      if (pathname !== "/") return new Response("not found", { status: 404 });
      return new Response(page, {
        headers: { ...headers, "content-type": "text/html" },
      });
    },
  );
  return { server, report: report.promise };
}

/**
 * Opens a page in a fresh browser.
 *
 * @param scripts What it may load, by path; `/page.js` runs, and calls `report({ results })`.
 * @param headers Of all that is served: a content security policy, isolation.
 * @param query What comes behind the address.
 * @returns The results.
 */
export async function visit(
  scripts: Readonly<Record<string, string>>,
  headers: Record<string, string>,
  query = "",
): Promise<unknown> {
  const { server, report } = serve(scripts, headers);
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
