/**
 * Numbers of a protocol buffer: seven bits a byte, the lowest first.
 *
 * @see https://protobuf.dev/programming-guides/encoding/#varints
 * @since 0.1.0
 */

/**
 * Bytes that a whole number below 2³¹ takes.
 *
 * @category getters
 * @since 0.1.0
 */
export const size = (value: number): number =>
  value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5

/**
 * Writes a whole number below 2³¹; gives back where it ends.
 *
 * @category encoding
 * @since 0.1.0
 */
export const write = (bytes: Uint8Array, at: number, value: number): number => {
  let end = at
  let rest = value
  while (rest >= 0x80) {
    bytes[end++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[end++] = rest
  return end
}
