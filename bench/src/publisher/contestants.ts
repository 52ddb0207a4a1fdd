import * as Sdk from "@aws-sdk/client-kinesis"
import * as Codec from "@leat/core/Codec"
import * as Envelope from "@leat/core/Envelope"
import * as KinesisClient from "@leat/transport-kinesis/KinesisClient"
import * as KinesisPublisher from "@leat/transport-kinesis/KinesisPublisher"
import { NodeHttpHandler } from "@smithy/node-http-handler"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

import { times } from "../inTurn.ts"

/** Puts all of the envelopes on a stream; rejects when one is not accepted. */
export type Contestant = (
  endpoint: string,
  stream: string,
  envelopes: ReadonlyArray<Envelope.Envelope>
) => Promise<void>

export const reference = "SDK alone"

/** Envelopes of about 200 bytes over so many keys, in turns. */
export const workload = (records: number, keys: number): ReadonlyArray<Envelope.Envelope> =>
  times(records).map((index) =>
    Envelope.make({
      type: "Asked",
      id: `event-${index}`,
      key: `user-${index % keys}`,
      data: { user_id: index % keys, top_n: 20, note: "x" }
    })
  )

/** Below what it can reach, so that pacing is worked out, above what it does. */
const shardLimits = { recordsPerSecond: 1e9, bytesPerSecond: 1e12 }

const leat =
  (options: Omit<KinesisPublisher.Options, "stream">): Contestant =>
  (endpoint, stream, envelopes) =>
    Effect.gen(function* () {
      const publisher = yield* KinesisPublisher.make({ stream, shardLimits, ...options })
      const answers = yield* publisher.publish(envelopes)
      if (!answers.every(Exit.isSuccess)) throw new Error("not all were accepted")
    }).pipe(Effect.scoped, Effect.provide(KinesisClient.layer({ endpoint })), Effect.runPromise)

const inFlight = 8
const most = 500

/** What one writes by hand: full requests, eight at a time, what failed once more. Keys change places. */
const sdkAlone: Contestant = async (endpoint, stream, envelopes) => {
  const codec = Codec.cloudEvents()
  const client = new Sdk.KinesisClient({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    requestHandler: new NodeHttpHandler({ requestTimeout: 10_000 })
  })
  let next = 0
  const put = async (entries: Array<Sdk.PutRecordsRequestEntry>): Promise<void> => {
    const output = await client.send(new Sdk.PutRecordsCommand({ StreamName: stream, Records: entries }))
    const failed = entries.filter((_, index) => output.Records?.[index]?.ErrorCode !== undefined)
    if (failed.length > 0) await put(failed)
  }
  const worker = async (): Promise<void> => {
    while (next < envelopes.length) {
      const batch = envelopes.slice(next, (next += most))
      // oxlint-disable-next-line no-await-in-loop -- one of eight loops side by side
      await put(batch.map((envelope) => ({ Data: codec.encode(envelope), PartitionKey: envelope.key ?? "" })))
    }
  }
  await Promise.all(times(inFlight).map(worker))
  client.destroy()
}

export const contestants = {
  [reference]: sdkAlone,
  unordered: leat({ mode: "unordered" }),
  ordered: leat({}),
  "ordered, aggregated": leat({ aggregation: "by-partition-key" }),
  "unordered, aggregated": leat({ mode: "unordered", aggregation: "by-partition-key" })
} satisfies Record<string, Contestant>

export type ContestantName = keyof typeof contestants
export const names: ReadonlyArray<ContestantName> = [
  reference,
  "unordered",
  "ordered",
  "ordered, aggregated",
  "unordered, aggregated"
]
