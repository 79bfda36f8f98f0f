/**
 * Flatbuffers by hand, for tests of TensorFlow Lite: models that no library would write.
 *
 * @module
 */

/** What a field holds: a number of so many bytes, items of so many, a text, or tables. */
export type Field =
  | { readonly number: number | bigint; readonly size: 1 | 2 | 4 | 8 }
  | { readonly items: readonly (number | bigint)[]; readonly size: 1 | 4 | 8 }
  | { readonly text: string }
  | { readonly table: Fields }
  | { readonly tables: readonly Fields[] };

/** The fields of a table by their numbers. */
export type Fields = Readonly<Record<number, Field>>;

/** A number of a field. */
export const int = (number: number | bigint, size: 1 | 4 | 8 = 4): Field => ({
  number,
  size,
});

/** Items of a field. */
export const items = (
  items: readonly (number | bigint)[],
  size: 1 | 4 | 8 = 4,
): Field => ({ items, size });

/** Bytes that grow. */
class Builder {
  readonly #bytes: number[] = [];

  get end(): number {
    return this.#bytes.length;
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  /** Appends a number, or puts it at a place. */
  put(value: number | bigint, size: number, at = this.end): void {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (let i = 0; i < size; i++, rest >>= 8n) {
      this.#bytes[at + i] = Number(rest & 255n);
    }
  }

  /** Makes an offset lead to the end. */
  lead(place: number): void {
    this.put(this.end - place, 4, place);
  }

  /** Appends a table, to which the offset at `place` leads. */
  table(place: number, fields: Fields): void {
    const numbers = Object.keys(fields).map(Number);
    const count = Math.max(-1, ...numbers) + 1;
    const layout = this.end, children: [number, Field][] = [];
    this.put(4 + 2 * count, 2);
    this.put(0, 2);
    for (let i = 0; i < count; i++) this.put(0, 2);
    this.lead(place);
    const at = this.end;
    this.put(at - layout, 4);
    for (const number of numbers) {
      const field = fields[number], here = this.end;
      this.put(here - at, 2, layout + 4 + 2 * number);
      if ("number" in field) this.put(field.number, field.size);
      else {
        this.put(0, 4);
        children.push([here, field]);
      }
    }
    for (const [here, field] of children) this.#child(here, field);
  }

  #child(place: number, field: Field): void {
    if ("table" in field) return this.table(place, field.table);
    this.lead(place);
    if ("tables" in field) {
      this.put(field.tables.length, 4);
      const first = this.end;
      for (const _ of field.tables) this.put(0, 4);
      field.tables.forEach((one, i) => this.table(first + 4 * i, one));
    } else if ("items" in field) {
      this.put(field.items.length, 4);
      for (const item of field.items) this.put(item, field.size);
    } else if ("text" in field) {
      const bytes = new TextEncoder().encode(field.text);
      this.put(bytes.length, 4);
      for (const byte of bytes) this.put(byte, 1);
    }
  }
}

/** A flatbuffer whose root has these fields. */
export function flatbuffer(root: Fields): Uint8Array {
  const builder = new Builder();
  builder.put(0, 4);
  for (const letter of "TFL3") builder.put(letter.charCodeAt(0), 1);
  builder.table(0, root);
  return builder.bytes();
}

/** A model of tensors and buffers, in one graph. */
export function model(
  tensors: readonly Fields[],
  buffers: readonly Fields[],
): Uint8Array {
  return flatbuffer({
    0: int(3),
    2: { tables: [{ 0: { tables: tensors } }] },
    4: { tables: [{}, ...buffers] },
  });
}
