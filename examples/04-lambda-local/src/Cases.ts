/** What the function is invoked with, and what it must make of it. */
import { createHash } from "node:crypto"

import * as Aggregation from "@leat/transport-kinesis/Aggregation"
import * as LambdaEvent from "@leat/transport-kinesis/LambdaEvent"

export interface Case {
  readonly title: string
  readonly records: ReadonlyArray<LambdaEvent.LambdaRecord>
  readonly hits: number
  readonly misses: number
  /** The sequence number that must be reported. */
  readonly reported?: string | undefined
}

let sequence = 0

const record = (data: string | Uint8Array, partitionKey = "anyone"): LambdaEvent.LambdaRecord =>
  LambdaEvent.record({ data, partitionKey, sequenceNumber: String((sequence += 1)) })

const request = (user_id: unknown, top_n: unknown = 20): string =>
  JSON.stringify({ user_id, top_n, request_id: `test-${sequence}`, timestamp: "2025-10-24T10:30:00Z" })

const ask = (user_id: number) => record(request(user_id), `user-${user_id}`)

/** What the Kinesis Producer Library makes of several requests: one record of the stream. */
const together = (...users: ReadonlyArray<number>) =>
  record(
    Aggregation.make(
      users.map((user_id) => ({ partitionKey: `user-${user_id}`, data: new TextEncoder().encode(request(user_id)) }))
    )
  )

/** Its checksum is right, and its message breaks off. */
const brokenAggregate = (): Uint8Array => {
  const message = Uint8Array.of(0x0a, 0x05, 0x61)
  return Buffer.concat([magicNumber, message, createHash("md5").update(message).digest()])
}

const magicNumber = Uint8Array.of(0xf3, 0x89, 0x9a, 0xc2)

const hundred = () => Array.from({ length: 100 }, (_, index) => ask(index + 101))

const notBase64 = (): LambdaEvent.LambdaRecord => {
  const good = ask(1)
  return { ...good, kinesis: { ...good.kinesis, data: "%%%%" } }
}

/** A bad record between two good ones, whose users are in the cache: they are served all the same. */
const amongGood = (title: string, bad: () => LambdaEvent.LambdaRecord): Case => {
  const records = [ask(1), bad(), ask(101)]
  return { title, records, hits: 2, misses: 0, reported: records[1]?.kinesis.sequenceNumber }
}

export const cases: ReadonlyArray<Case> = [
  { title: "one user, cold", records: [ask(1)], hits: 0, misses: 1 },
  { title: "one user, warm", records: [ask(1)], hits: 1, misses: 0 },
  { title: "a batch of 100, cold", records: hundred(), hits: 0, misses: 100 },
  { title: "a batch of 100, warm", records: hundred(), hits: 100, misses: 0 },
  { title: "an aggregate of 3", records: [together(1, 101, 102)], hits: 3, misses: 0 },
  amongGood("not base64", notBase64),
  amongGood("not JSON", () => record("{ user_id: 1")),
  amongGood("user_id as a text", () => record(request("1"))),
  amongGood("top_n 101", () => record(request(1, 101))),
  amongGood("a broken aggregate", () => record(brokenAggregate()))
]
