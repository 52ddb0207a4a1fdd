import * as Sdk from "@aws-sdk/client-kinesis"
import * as Journal from "@leat/core/Journal"
import * as Solo from "@leat/transport-kinesis/assignment/Solo"
import * as Checkpoint from "@leat/transport-kinesis/Checkpoint"
import * as Polling from "@leat/transport-kinesis/fetcher/Polling"
import * as KinesisClient from "@leat/transport-kinesis/KinesisClient"
import * as KinesisConsumer from "@leat/transport-kinesis/KinesisConsumer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { clientOf, iterators } from "./sdk.ts"
import type { Address } from "./stream.ts"
import { counting, Tally } from "./workload.ts"

/** Reads so many records from the beginning of a stream as fast as it can, and rejects unless each came once. */
export type Contestant = (address: Address, records: number) => Promise<void>

export const reference = "bare GetRecords"

const limit = 10_000

/** What one writes by hand: a loop for each shard, each record parsed and counted. It remembers nothing. */
const bare: Contestant = async ({ endpoint, stream }, records) => {
  const client = clientOf(endpoint)
  const tally = new Tally()
  const shards = await iterators(client, stream, "TRIM_HORIZON")
  await Promise.all(shards.map((iterator) => readToTip(client, iterator, tally)))
  client.destroy()
  tally.check(records)
}

const decoder = new TextDecoder()

const readToTip = async (client: Sdk.KinesisClient, from: string, tally: Tally) => {
  for (let iterator: string | undefined = from; iterator !== undefined;) {
    // oxlint-disable-next-line no-await-in-loop -- a page says where the next one is
    const page: Sdk.GetRecordsCommandOutput = await client.send(
      new Sdk.GetRecordsCommand({ ShardIterator: iterator, Limit: limit })
    )
    for (const { Data: data } of page.Records ?? []) {
      const played: { readonly number: number } = JSON.parse(decoder.decode(data))
      tally.add(played.number)
    }
    iterator = page.MillisBehindLatest === 0 ? undefined : page.NextShardIterator
  }
}

/** Neither 5 reads nor 2 MiB a second: what is measured is who reads, not how AWS wants to be read. */
const unpaced = { readsPerSecond: Infinity, bytesPerSecond: Infinity }

const leat =
  (journal: Layer.Layer<Journal.Journal>): Contestant =>
  async ({ endpoint, stream }, records) => {
    const tally = new Tally()
    const transport = Polling.layer(unpaced).pipe(Layer.provideMerge(KinesisClient.layer({ endpoint })))
    await KinesisConsumer.make(counting(tally), { stream, application: "bench" }).pipe(
      Effect.flatMap(({ join }) =>
        Effect.raceFirst(
          join,
          Effect.promise(() => tally.until(records))
        )
      ),
      Effect.scoped,
      Effect.provide(Layer.mergeAll(transport, journal, Checkpoint.layerMemory, Solo.layer)),
      Effect.runPromise
    )
    tally.check(records)
  }

export const contestants = {
  [reference]: bare,
  leat: leat(Journal.layerNone),
  "leat, journal in memory": leat(Journal.layerMemory)
} satisfies Record<string, Contestant>

export type ContestantName = keyof typeof contestants
export const names: ReadonlyArray<ContestantName> = [reference, "leat", "leat, journal in memory"]
