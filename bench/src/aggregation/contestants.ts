import { createRequire } from "node:module"

import * as Aggregation from "@leat/transport-kinesis/Aggregation"

import { times } from "../inTurn.ts"

/** How an aggregate comes: as Lambda hands it over, or as the API's client does. */
export type Input = "base64" | "bytes"

/** The aggregates that all contestants read, or write. */
export interface Shape {
  readonly records: number
  readonly recordBytes: number
}

export const contestants = ["leat", "aws-kinesis-agg"] as const
export type Contestant = (typeof contestants)[number]

export type Job = "read" | "write"

/** What a child does over and over. */
export interface Task {
  readonly contestant: Contestant
  readonly job: Job
  readonly input: Input
  readonly shape: Shape
}

/** One pass over an aggregate; gives back how many bytes of data it came across, so that all can be held to the same. */
export type Pass = (index: number) => number

interface TheirRecord {
  readonly partitionKey?: string
  readonly PartitionKey?: string
  readonly data?: string
  readonly Data?: string
}

const theirs = createRequire(import.meta.url)("aws-kinesis-agg") as {
  readonly deaggregateSync: (
    record: object,
    computeChecksums: boolean,
    done: (error: unknown, records: ReadonlyArray<TheirRecord>) => void
  ) => void
  readonly RecordAggregator: new () => {
    readonly addUserRecord: (record: object) => void
    readonly build: () => { readonly data: Buffer }
  }
}

/** So many that none of them stays in the processor's caches from one pass to the next. */
const bytesOfInputs = 1_500_000

const usersOf = ({ recordBytes, records }: Shape, seed: number) =>
  times(records).map((index) => ({
    partitionKey: `user-${seed}-${index}`,
    data: Buffer.alloc(recordBytes, `${seed},${index};`)
  }))

/** Prepares the inputs and gives back one pass over one of them. */
export const passOf = ({ contestant, input, job, shape }: Task): Pass => {
  const count = Math.max(2, Math.ceil(bytesOfInputs / (shape.records * shape.recordBytes)))
  const users = times(count).map((seed) => usersOf(shape, seed))
  if (job === "write") {
    const write = contestant === "leat" ? Aggregation.make : theirWrite
    return (index) => write(users[index % count] ?? []).length
  }
  const aggregates = users.map(Aggregation.make)
  if (input === "base64") {
    const read = contestant === "leat" ? (data: string) => ourRead(Buffer.from(data, "base64")) : theirReadOfText
    const texts = aggregates.map((bytes) => Buffer.from(bytes).toString("base64"))
    return (index) => read(texts[index % count] ?? "")
  }
  const read = contestant === "leat" ? ourRead : theirReadOfBytes
  return (index) => read(aggregates[index % count] ?? new Uint8Array())
}

const ourRead = (bytes: Uint8Array): number => {
  const reading = Aggregation.read(bytes)
  if (reading._tag !== "Aggregate") throw new Error(`leat read no aggregate: ${reading._tag}`)
  let sum = 0
  for (let index = 0; index < reading.length; index++) {
    sum += reading.partitionKey(index).length + reading.data(index).length
  }
  return sum
}

/** It gives data as base64; a consumer needs the bytes, as it gets them from ours. */
const theirReadOfText = (data: string): number =>
  theirRead({ data, partitionKey: "outer", sequenceNumber: "1" }, ({ data: text, partitionKey }) =>
    lengthsOf(partitionKey, text)
  )

const theirReadOfBytes = (data: Uint8Array): number =>
  theirRead({ Data: data, PartitionKey: "outer", SequenceNumber: "1" }, ({ Data: text, PartitionKey: key }) =>
    lengthsOf(key, text)
  )

const lengthsOf = (partitionKey = "", text = ""): number => partitionKey.length + Buffer.from(text, "base64").length

const theirRead = (record: object, lengths: (record: TheirRecord) => number): number => {
  let sum = 0
  theirs.deaggregateSync(record, true, (error, records) => {
    if (error !== null && error !== undefined) throw error as Error
    for (const one of records) sum += lengths(one)
  })
  return sum
}

const theirWrite = (users: ReadonlyArray<object>): Uint8Array => {
  const aggregator = new theirs.RecordAggregator()
  for (const user of users) aggregator.addUserRecord(user)
  return aggregator.build().data
}
