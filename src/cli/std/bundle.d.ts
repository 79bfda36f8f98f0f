// What `bundle.js` exports. The standard library on npm is JavaScript without
// types, so they are written down here.

/** `1.5 MiB` with `binary`, else `1.57 MB`. */
export function formatBytes(
  bytes: number,
  options?: { binary?: boolean; bits?: boolean; signed?: boolean },
): string;
