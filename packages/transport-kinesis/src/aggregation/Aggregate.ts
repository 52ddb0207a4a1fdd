import type { UserRecord } from "../Aggregation.ts"

/**
 * An aggregate that was read and found good. Its records are numbered from 0 below {@link Aggregate.length}; another
 * index is a defect of the caller's.
 *
 * @category models
 * @since 0.1.0
 */
export class Aggregate {
  readonly _tag = "Aggregate"
  readonly length: number
  readonly #message: Uint8Array
  readonly #partitionKeys: ReadonlyArray<string>
  readonly #explicitHashKeys: ReadonlyArray<string>
  readonly #fields: ReadonlyArray<number>

  /** @internal */
  constructor(
    message: Uint8Array,
    partitionKeys: ReadonlyArray<string>,
    explicitHashKeys: ReadonlyArray<string>,
    fields: ReadonlyArray<number>
  ) {
    this.#message = message
    this.#partitionKeys = partitionKeys
    this.#explicitHashKeys = explicitHashKeys
    this.#fields = fields
    this.length = fields.length / width
  }

  partitionKey(index: number): string {
    return this.#partitionKeys[this.#field(index, 0)] as string
  }

  /** `undefined` where the record has none, which is not that of index 0. */
  explicitHashKey(index: number): string | undefined {
    const at = this.#field(index, 1)
    return at === none ? undefined : this.#explicitHashKeys[at]
  }

  /** A view into the record's bytes. */
  data(index: number): Uint8Array {
    return this.#message.subarray(this.#field(index, 2), this.#field(index, 3))
  }

  record(index: number): UserRecord {
    return {
      partitionKey: this.partitionKey(index),
      explicitHashKey: this.explicitHashKey(index),
      data: this.data(index)
    }
  }

  #field(index: number, field: number): number {
    const value = this.#fields[index * width + field]
    if (value === undefined) throw new RangeError(`the aggregate has ${this.length} user records, and none at ${index}`)
    return value
  }
}

/** Numbers a record: index of its partition key, of its explicit hash key, start and end of its data. */
export const width = 4

/** The index of an explicit hash key that is not there. */
export const none = -1
