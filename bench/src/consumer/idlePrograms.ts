import { setTimeout as sleep } from "node:timers/promises"

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

const tally = new Tally()

/** One read a second of each shard, as our default is. */
const bare = async ({ endpoint, stream }: Address) => {
  const client = clientOf(endpoint)
  const shards = await iterators(client, stream, "LATEST")
  await Promise.all(shards.map((iterator) => readForEver(client, iterator)))
}

const decoder = new TextDecoder()

const readForEver = async (client: Sdk.KinesisClient, from: string) => {
  for (let iterator: string | undefined = from; iterator !== undefined;) {
    const asked = performance.now()
    // oxlint-disable-next-line no-await-in-loop -- a page says where the next one is
    const page: Sdk.GetRecordsCommandOutput = await client.send(
      new Sdk.GetRecordsCommand({ ShardIterator: iterator, Limit: 10_000 })
    )
    for (const { Data: data } of page.Records ?? []) {
      const played: { readonly number: number } = JSON.parse(decoder.decode(data))
      tally.add(played.number)
    }
    iterator = page.NextShardIterator
    // oxlint-disable-next-line no-await-in-loop -- to wait is what it is for
    await sleep(Math.max(0, 1000 - (performance.now() - asked)))
  }
}

const leat = ({ endpoint, stream }: Address) =>
  KinesisConsumer.run(counting(tally), { stream, application: "bench" }).pipe(
    Effect.provide(
      Layer.mergeAll(
        Polling.layer().pipe(Layer.provideMerge(KinesisClient.layer({ endpoint }))),
        Journal.layerNone,
        Checkpoint.layerMemory,
        Solo.layer
      )
    ),
    Effect.runPromise
  )

/** Programs that read a stream for ever. */
export const programs = { "bare GetRecords": bare, leat } satisfies Record<string, (address: Address) => Promise<void>>

export type ProgramName = keyof typeof programs
export const names: ReadonlyArray<ProgramName> = ["bare GetRecords", "leat"]
