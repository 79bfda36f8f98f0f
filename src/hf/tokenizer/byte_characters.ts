/**
 * GPT-2's spelling of bytes: each is a printable character, so that a vocabulary is text.
 *
 * Bytes that are printable in Latin-1 stand for themselves, the others for U+0100 and on, in order.
 *
 * @module
 */

const CHARACTERS: readonly string[] = (() => {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = byte >= 0x21 && byte <= 0x7e ||
      byte >= 0xa1 && byte <= 0xff && byte !== 0xad;
    return String.fromCharCode(printable ? byte : next++);
  });
})();

const BYTES: ReadonlyMap<string, number> = new Map(
  CHARACTERS.map((character, byte) => [character, byte]),
);

const encoder = new TextEncoder();

/** A text as the characters of its bytes. */
export function bytesToCharacters(text: string): string {
  return Array.from(encoder.encode(text), (byte) => CHARACTERS[byte]).join("");
}

/** The bytes that characters stand for; those of the text itself where one of them stands for none. */
export function charactersToBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const byte = BYTES.get(text[i]);
    if (byte === undefined) return encoder.encode(text);
    bytes[i] = byte;
  }
  return bytes;
}
