// What `bundle.js` exports. The standard library on npm is JavaScript without
// types, so they are written down here.

/** How `parseArgs` reads flags. */
export interface ParseOptions {
  boolean?: readonly string[];
  string?: readonly string[];
  collect?: readonly string[];
  alias?: Record<string, string | readonly string[]>;
  default?: Record<string, unknown>;
  stopEarly?: boolean;
  "--"?: boolean;
  unknown?: (argument: string, key?: string, value?: unknown) => unknown;
}

/** Flags by name, and operands in `_`. */
export function parseArgs(
  args: readonly string[],
  options?: ParseOptions,
): { _: (string | number)[]; [name: string]: unknown };

/** `1.5 MiB` with `binary`, else `1.57 MB`. */
export function formatBytes(
  bytes: number,
  options?: { binary?: boolean; bits?: boolean; signed?: boolean },
): string;
