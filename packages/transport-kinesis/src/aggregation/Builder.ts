import type { UserRecord } from "../Aggregation.ts"
import { none } from "./Aggregate.ts"
import * as Frame from "./Frame.ts"
import { KeyTable, sizeOf } from "./KeyTable.ts"
import * as Message from "./Message.ts"
import * as Varint from "./Varint.ts"

interface Added {
  /** Indexes of its keys; of the explicit one maybe {@link none}. */
  readonly partitionKey: number
  readonly explicitHashKey: number
  readonly data: Uint8Array
  readonly size: number
}

/**
 * Gathers user records until their aggregate is as large as it may be.
 *
 * **Details**
 *
 * Sizes are exact, in bytes of UTF-8: `build()` has {@link Builder.size} bytes. Records are held, not copied, until
 * then. A builder makes one aggregate; begin the next with a new one.
 *
 * **Example** (Fill and send)
 *
 * ```ts
 * import * as Aggregation from "@leat/transport-kinesis/Aggregation"
 *
 * const builder = new Aggregation.Builder()
 * const record = { partitionKey: "ann", data: new TextEncoder().encode("hello") }
 *
 * builder.fits(record, 35) // => false
 * builder.sizeWith(record) // => 36
 * builder.add(record)
 * builder.build().length // => 36
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export class Builder {
  readonly #partitionKeys = new KeyTable()
  readonly #explicitHashKeys = new KeyTable()
  readonly #added: Array<Added> = []
  #recordBytes = 0

  /** User records so far. */
  get length(): number {
    return this.#added.length
  }

  /** Bytes of the aggregate as it stands, frame included, partition key of the outer record not. */
  get size(): number {
    return Frame.overhead + this.#partitionKeys.size + this.#explicitHashKeys.size + this.#recordBytes
  }

  /** Bytes of the aggregate with one record more. */
  sizeWith({ data, explicitHashKey, partitionKey }: UserRecord): number {
    let keys = 0
    let partition = this.#partitionKeys.find(partitionKey)
    if (partition === undefined) {
      partition = this.#partitionKeys.next
      keys += sizeOf(partitionKey)
    }
    let explicit = explicitHashKey === undefined ? none : this.#explicitHashKeys.find(explicitHashKey)
    if (explicit === undefined) {
      explicit = this.#explicitHashKeys.next
      keys += sizeOf(explicitHashKey ?? "")
    }
    return this.size + keys + outerSize(innerSize(partition, explicit, data.length))
  }

  /**
   * Whether the aggregate may take one record more: it stays within `limit` bytes, and within
   * {@link "../Aggregation.ts".maxUserRecords}.
   */
  fits(record: UserRecord, limit: number): boolean {
    return this.length < Message.maxUserRecords && this.sizeWith(record) <= limit
  }

  /** Adds a record; one beyond {@link "../Aggregation.ts".maxUserRecords} is a defect: ask {@link Builder.fits}. */
  add(record: UserRecord): void {
    if (this.length === Message.maxUserRecords) {
      throw new RangeError(`an aggregate carries at most ${Message.maxUserRecords} user records: ask \`fits\` before`)
    }
    const { data, explicitHashKey, partitionKey } = record
    const partition = this.#partitionKeys.find(partitionKey) ?? this.#partitionKeys.add(partitionKey)
    const explicit =
      explicitHashKey === undefined
        ? none
        : (this.#explicitHashKeys.find(explicitHashKey) ?? this.#explicitHashKeys.add(explicitHashKey))
    const size = innerSize(partition, explicit, data.length)
    this.#added.push({ partitionKey: partition, explicitHashKey: explicit, data, size })
    this.#recordBytes += outerSize(size)
  }

  /** The bytes of the aggregate; without a record it is a defect, as what carries nothing would be read as plain. */
  build(): Uint8Array {
    if (this.length === 0) throw new RangeError("an aggregate carries at least one user record")
    const { bytes, close, start } = Frame.make(this.size - Frame.overhead)
    let at = this.#partitionKeys.write(bytes, start, Message.tags.partitionKey)
    at = this.#explicitHashKeys.write(bytes, at, Message.tags.explicitHashKey)
    for (const added of this.#added) at = write(bytes, at, added)
    close()
    return bytes
  }
}

/** Bytes of a record without the tag and the length in front of it. */
const innerSize = (partitionKey: number, explicitHashKey: number, length: number): number =>
  2 +
  Varint.size(partitionKey) +
  (explicitHashKey === none ? 0 : 1 + Varint.size(explicitHashKey)) +
  Varint.size(length) +
  length

const outerSize = (inner: number): number => 1 + Varint.size(inner) + inner

const write = (bytes: Buffer, start: number, { data, explicitHashKey, partitionKey, size }: Added): number => {
  let at = start
  bytes[at++] = Message.tags.record
  at = Varint.write(bytes, at, size)
  bytes[at++] = Message.tags.partitionKeyIndex
  at = Varint.write(bytes, at, partitionKey)
  if (explicitHashKey !== none) {
    bytes[at++] = Message.tags.explicitHashKeyIndex
    at = Varint.write(bytes, at, explicitHashKey)
  }
  bytes[at++] = Message.tags.data
  at = Varint.write(bytes, at, data.length)
  bytes.set(data, at)
  return at + data.length
}
