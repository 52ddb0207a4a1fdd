/** Aggregates written by hand, so that a test can write a wrong one, and random ones. */
import { createHash } from "node:crypto"
import { createRequire } from "node:module"

import type * as Aggregation from "@leat/transport-kinesis/Aggregation"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"

export const magic = Buffer.from("f3899ac2", "hex")

export const framed = (...message: ReadonlyArray<Uint8Array>): Buffer => {
  const body = Buffer.concat(message)
  return Buffer.concat([magic, body, createHash("md5").update(body).digest()])
}

export const varint = (value: bigint | number): Buffer => {
  const bytes: Array<number> = []
  let rest = BigInt(value)
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  return Buffer.from([...bytes, Number(rest)])
}

export const number = (field: number, value: bigint | number): Buffer =>
  Buffer.concat([varint(field * 8), varint(value)])

export const block = (field: number, ...parts: ReadonlyArray<Uint8Array | string>): Buffer => {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part as Uint8Array)))
  return Buffer.concat([varint(field * 8 + 2), varint(body.length), body])
}

export const partitionKey = (text: Uint8Array | string): Buffer => block(1, text)
export const explicitHashKey = (text: Uint8Array | string): Buffer => block(2, text)
export const record = (...fields: ReadonlyArray<Uint8Array>): Buffer => block(3, ...fields)

/** Numbers that look random and are the same in every run. */
export const randomOf = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const text = Arbitrary.map(Arbitrary.schema(Schema.String), (any) => any.toWellFormed())
const bytes = Arbitrary.map(
  Arbitrary.array(Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))), {
    maxLength: 40
  }),
  (numbers) => Uint8Array.from(numbers)
)
const choice = Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 })))

/** Keys of all kinds, some of them several times, with and without an explicit hash key, with empty data. */
export const userRecords: Arbitrary.Arbitrary<ReadonlyArray<Aggregation.UserRecord>> = Arbitrary.array(
  Arbitrary.map(Arbitrary.all([text, bytes, choice]), ([key, data, kind]): Aggregation.UserRecord => ({
    partitionKey: kind < 4 ? (["__proto__", "hasOwnProperty", "10", "2"][kind] ?? "") : key,
    explicitHashKey: kind % 3 === 0 ? String(kind) : undefined,
    data
  })),
  { minLength: 1, maxLength: 30 }
)

/** Without what `aws-kinesis-agg` does wrong: integers as keys change places there, and empty data is refused. */
export const plainerRecords: Arbitrary.Arbitrary<ReadonlyArray<Aggregation.UserRecord>> = Arbitrary.map(
  userRecords,
  (records) =>
    records.map((user, index) => ({
      partitionKey: `key ${user.partitionKey}`,
      explicitHashKey: user.explicitHashKey === undefined ? undefined : `${2n ** 70n + BigInt(index % 3)}`,
      data: Uint8Array.of(index, ...user.data)
    }))
)

interface TheirRecord {
  readonly partitionKey: string
  readonly explicitPartitionKey?: string
  readonly data: string
}

const theirs = createRequire(import.meta.url)("aws-kinesis-agg") as {
  readonly deaggregateSync: (
    record: { readonly data: string; readonly partitionKey: string; readonly sequenceNumber: string },
    computeChecksums: boolean,
    done: (error: unknown, records: ReadonlyArray<TheirRecord>) => void
  ) => void
  readonly RecordAggregator: new () => {
    readonly addUserRecord: (record: object) => void
    readonly build: () => { readonly data: Buffer }
  }
}

/** What `aws-kinesis-agg` writes. */
export const theirAggregate = (records: ReadonlyArray<Aggregation.UserRecord>): Uint8Array => {
  const aggregator = new theirs.RecordAggregator()
  for (const { data, explicitHashKey: explicit, partitionKey: key } of records) {
    aggregator.addUserRecord({
      partitionKey: key,
      data: Buffer.from(data),
      ...(explicit === undefined ? {} : { explicitHashKey: explicit })
    })
  }
  return aggregator.build().data
}

/** What `aws-kinesis-agg` reads. */
export const theirReading = (aggregate: Uint8Array): ReadonlyArray<TheirRecord> => {
  let read: ReadonlyArray<TheirRecord> = []
  theirs.deaggregateSync(
    { data: Buffer.from(aggregate).toString("base64"), partitionKey: "outer", sequenceNumber: "1" },
    true,
    (error, records) => {
      if (error !== null && error !== undefined) throw error as Error
      read = records
    }
  )
  return read
}
