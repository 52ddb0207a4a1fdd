/** Puts numbered events on the stream, all the time, and changes its shards meanwhile. */
import { KinesisClient as Sdk, MergeShardsCommand, SplitShardCommand } from "@aws-sdk/client-kinesis"
import * as KinesisClient from "@leat/transport-kinesis/KinesisClient"
import { NodeHttpHandler } from "@smithy/node-http-handler"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

import * as Counting from "./Counting.ts"

const keyCount = 200

/** Milliseconds. */
const step = 50

interface Event {
  readonly key: string
  readonly number: number
}

/** A key is at most once in a call, and a refused event goes before the next of its key: so the stream has each key in order. */
export class Feed {
  /** How many events of each key the stream has accepted. */
  readonly accepted = new Map<string, number>()
  readonly #client: KinesisClient.KinesisClient["Service"]
  readonly #sdk: Sdk
  readonly #numbers = new Map<string, number>()
  #refused: ReadonlyArray<Event> = []
  #turn = 0
  #running = Promise.resolve()
  #stopped = false

  constructor(client: KinesisClient.KinesisClient["Service"], endpoint: string) {
    this.#client = client
    this.#sdk = new Sdk({
      endpoint,
      region: "us-east-1",
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
      requestHandler: new NodeHttpHandler()
    })
  }

  get total(): number {
    return [...this.accepted.values()].reduce((sum, count) => sum + count, 0)
  }

  begin(perSecond: number): void {
    this.#running = this.#run(perSecond)
  }

  /** Stops when everything it began is accepted. */
  async end(): Promise<void> {
    this.#stopped = true
    await this.#running
    this.#sdk.destroy()
  }

  /** By the clock: a call that took long is made up for. */
  async #run(perSecond: number): Promise<void> {
    const begun = performance.now()
    let asked = 0
    while (!this.#stopped || this.#refused.length > 0) {
      const due = this.#stopped ? 0 : Math.floor((perSecond * (performance.now() - begun)) / 1_000) - asked
      asked += due
      await this.#put(due)
      await new Promise((resolve) => setTimeout(resolve, step))
    }
  }

  async #put(count: number): Promise<void> {
    const waiting = new Set(this.#refused.map(({ key }) => key))
    const events = [
      ...this.#refused,
      ...this.#next(count)
        .filter((key) => !waiting.has(key))
        .map((key) => this.#event(key))
    ]
    if (events.length === 0) return
    const records = events.map(({ key, number }) => ({
      partitionKey: key,
      data: new TextEncoder().encode(JSON.stringify({ key, number }))
    }))
    // An answer that was lost is asked for again: the event may then lie in the stream twice, and still in order.
    const put = Effect.catchIf(
      this.#client.putRecords(Counting.stream, records),
      ({ retryable }) => retryable,
      () => Effect.succeed([])
    )
    const answers: ReadonlyArray<KinesisClient.Put> = await Effect.runPromise(put)
    this.#refused = events.filter((_, index) => answers[index]?._tag !== "Accepted")
    for (const [index, { key, number }] of events.entries()) {
      if (answers[index]?._tag === "Accepted") this.accepted.set(key, number)
    }
  }

  #next(count: number): ReadonlyArray<string> {
    return Array.from({ length: Math.min(count, keyCount) }, () => `key-${this.#turn++ % keyCount}`)
  }

  #event(key: string): Event {
    const number = (this.#numbers.get(key) ?? 0) + 1
    this.#numbers.set(key, number)
    return { key, number }
  }

  /** The open shards, in the order of their hash ranges. */
  async open(): Promise<ReadonlyArray<KinesisClient.Shard>> {
    const listed = Effect.retry(this.#client.listShards(Counting.stream), {
      times: 5,
      while: ({ retryable }) => retryable
    })
    const shards = await Effect.runPromise(listed)
    return shards.filter(({ closed }) => !closed).toSorted((a, b) => (a.hashRange.start < b.hashRange.start ? -1 : 1))
  }

  /** Splits an open shard in the middle. */
  async split({ hashRange: { end, start }, shardId }: KinesisClient.Shard): Promise<void> {
    const middle = String(start + (end - start) / 2n)
    await this.#sdk.send(
      new SplitShardCommand({ StreamName: Counting.stream, ShardToSplit: shardId, NewStartingHashKey: middle })
    )
  }

  /** Merges two neighbours. */
  async merge(shard: KinesisClient.Shard, neighbour: KinesisClient.Shard): Promise<void> {
    await this.#sdk.send(
      new MergeShardsCommand({
        StreamName: Counting.stream,
        ShardToMerge: shard.shardId,
        AdjacentShardToMerge: neighbour.shardId
      })
    )
  }
}

/** A feed of the stream there. */
export const make = (endpoint: string) =>
  Effect.gen(function* () {
    const context = yield* Effect.context<KinesisClient.KinesisClient>()
    return new Feed(Context.get(context, KinesisClient.KinesisClient), endpoint)
  }).pipe(Effect.provide(KinesisClient.layer({ endpoint })))
