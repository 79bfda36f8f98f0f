/**
 * Reading the hexadecimal text that compiled kernels are kept in.
 *
 * Two digits to a byte make a longer text than base64, and a smaller download: a
 * byte is spelled the same wherever it stands, so gzip and brotli find what repeats
 * and need a quarter less for it.
 *
 * @module
 */

/**
 * The bytes of a hexadecimal text.
 *
 * @param text Lower-case digits, two to a byte.
 * @returns The bytes.
 */
export function bytesOfHex(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] = digit(text.charCodeAt(2 * i)) << 4 |
      digit(text.charCodeAt(2 * i + 1));
  }
  return bytes;
}

/** What a digit stands for, given its character code: "0" is 48, "a" is 97. */
function digit(code: number): number {
  return code < 58 ? code - 48 : code - 87;
}
