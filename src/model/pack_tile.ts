/**
 * Puts what a tile holds into the parts of a tensor.
 *
 * @module
 */
import { packPart } from "../layouts/pack.ts";
import type { NearBytes, PartPlan } from "../words/layout.ts";
import type { FieldPlans, Tile } from "../words/tile.ts";
import type { Window } from "../words/window.ts";
import type { Tensor } from "./stages.ts";

/** Bytes of the parts of a tensor, or of a window of it. */
export interface TensorBytes {
  /** The bytes by part. */
  readonly bytes: Readonly<Record<string, Uint8Array>>;
  /** What they were taken for. */
  readonly area: Window;
  /** What brings the bytes of a tile together, by part. */
  readonly near?: Readonly<Record<string, NearBytes>>;
}

/** Parts for tiles of a window: {@linkcode close} ends their use. */
export function nearby(
  { layout: { matrix, parts: plans } }: Tensor,
  parts: TensorBytes,
  window: Window,
): TensorBytes {
  const near = Object.entries(plans).flatMap(([name, plan]) => {
    const part = { plan, bytes: parts.bytes[name], area: parts.area };
    const bytes = plan.near?.(part, matrix, window);
    return bytes ? [[name, bytes] as const] : [];
  });
  return near.length === 0
    ? parts
    : { ...parts, near: Object.fromEntries(near) };
}

/** Ends the use of parts. */
export function close({ near = {} }: TensorBytes): void {
  for (const bytes of Object.values(near)) bytes.close();
}

/**
 * Puts a tile into the parts.
 *
 * @param tensor The tensor.
 * @param tile The tile.
 * @param parts Where its bytes go.
 * @param window What is packed tile by tile, in order, and shares numbers; the tile by default.
 */
export function packTile(
  { scheme, layout: { matrix, parts } }: Tensor,
  tile: Tile,
  { bytes, area, near }: TensorBytes,
  window: Window = tile,
): void {
  for (const [name, plan] of Object.entries(parts)) {
    if (isPacked(plan, scheme.fields, tile, window)) continue;
    const part = near?.[name]?.writing(tile) ?? { bytes: bytes[name], area };
    packPart({ plan, ...part }, matrix, scheme.fields, tile);
  }
}

/** Whether all that a part holds of a tile is what tiles before it have, too. */
function isPacked(
  { holds }: PartPlan,
  fields: FieldPlans,
  { matrix, row, column }: Tile,
  window: Window,
): boolean {
  if (row === window.row && column === window.column) return false;
  return holds.every((item) => {
    if (item.kind === "text" || item.kind === "constant") return true;
    if (item.kind !== "field" || !fields[item.role].shared) return false;
    const { span: { rows, columns } } = fields[item.role];
    return rows >= matrix.rows &&
      (row > window.row || columns >= matrix.columns);
  });
}
