import * as Varint from "./Varint.ts"

/**
 * The distinct keys of an aggregate, numbered as they come. A `Map`: in an object `"__proto__"` is no key, and keys that
 * look like integers change places.
 *
 * @category models
 * @since 0.1.0
 */
export class KeyTable {
  /** Bytes of the table in the message. */
  size = 0
  readonly #indexes = new Map<string, number>()
  /** Bytes of each key. */
  readonly #lengths: Array<number> = []

  /** The index of a key that was added. */
  find(key: string): number | undefined {
    return this.#indexes.get(key)
  }

  /** The index that the next new key gets. */
  get next(): number {
    return this.#lengths.length
  }

  /** Adds a key that is not there; gives back its index. */
  add(key: string): number {
    const index = this.#lengths.length
    const length = Buffer.byteLength(key)
    this.size += fieldSize(length)
    this.#lengths.push(length)
    this.#indexes.set(key, index)
    return index
  }

  /** Writes the table as a repeated string field; gives back where it ends. */
  write(bytes: Buffer, start: number, tag: number): number {
    let at = start
    let index = 0
    for (const key of this.#indexes.keys()) {
      const length = this.#lengths[index++] ?? 0
      bytes[at++] = tag
      at = Varint.write(bytes, at, length)
      at += bytes.write(key, at, length)
    }
    return at
  }
}

/** Bytes that a key takes in its table. */
export const sizeOf = (key: string): number => fieldSize(Buffer.byteLength(key))

const fieldSize = (length: number): number => 1 + Varint.size(length) + length
