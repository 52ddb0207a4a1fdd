/**
 * One consumer for as many records as the parent wants, with its CPU and its heap on the way. The records are made in this
 * process by a fetcher that does nothing else, so no stream limits it; what making them costs is in its CPU, at the
 * beginning as at the end.
 */
import { setTimeout as sleep } from "node:timers/promises"

import * as Journal from "@leat/core/Journal"
import * as Solo from "@leat/transport-kinesis/assignment/Solo"
import * as Checkpoint from "@leat/transport-kinesis/Checkpoint"
import * as Fetcher from "@leat/transport-kinesis/Fetcher"
import type * as KinesisClient from "@leat/transport-kinesis/KinesisClient"
import * as KinesisConsumer from "@leat/transport-kinesis/KinesisConsumer"
import * as FakeKinesis from "@leat/transport-kinesis/testing/FakeKinesis"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

import { times } from "../inTurn.ts"
import { measure } from "../measure.ts"
import * as Subprocess from "../Subprocess.ts"
import { counting, recordOf, sequenceNumberOf, Tally } from "./workload.ts"

export interface Task {
  readonly shards: number
  /** Records before the first mark, by the same consumer; they are not counted. */
  readonly warmRecords: number
  /** Counts of records at which all that were made are handled, and the heap is looked at. */
  readonly marks: ReadonlyArray<number>
}

/** What was seen at a mark. */
export interface Mark {
  readonly records: number
  /** Microseconds since the mark before. */
  readonly cpu: number
  /** Bytes that live after a collection: on V8's heap, and of buffers. */
  readonly heap: number
  readonly buffers: number
  /** Bytes of the whole process before it. */
  readonly rss: number
}

const perPage = 1000

/** Makes the records below `limit`, shard by shard, and waits where it is reached. */
class Source {
  #limit = 0
  readonly #raised = Latch.makeUnsafe(false)
  readonly #shards: number

  constructor(shards: number) {
    this.#shards = shards
  }

  raise(limit: number): void {
    this.#limit = limit
    this.#raised.openUnsafe()
    this.#raised.closeUnsafe()
  }

  readonly fetcher: Fetcher.Fetcher["Service"] = {
    name: "source",
    read: ({ shardId }) => {
      let next = Number(shardId.slice("shardId-".length))
      const pull: Effect.Effect<readonly [Fetcher.Page]> = Effect.suspend(() => {
        if (next >= this.#limit) return Effect.andThen(this.#raised.await, pull)
        const count = Math.min(perPage, Math.ceil((this.#limit - next) / this.#shards))
        const records = times(count).map((index) => made(next + index * this.#shards))
        next += count * this.#shards
        return Effect.succeed([{ records, millisBehindLatest: 60_000 }])
      })
      return Stream.fromPull(Effect.succeed(pull))
    }
  }
}

/** The SDK gives views of bytes, no buffers. */
const made = (number: number): KinesisClient.Record => {
  const { body, partitionKey } = recordOf(number)
  return {
    sequenceNumber: sequenceNumberOf(number),
    partitionKey,
    data: new Uint8Array(body.buffer, body.byteOffset, body.byteLength),
    arrival: 1_761_300_000_123 + number
  }
}

const stream = "bench"

const consume = ({ marks, shards, warmRecords }: Task) => {
  const source = new Source(shards)
  const tally = new Tally()
  const reach = async (records: number): Promise<void> => {
    source.raise(records)
    await tally.until(records)
    // The last batch is settled, and its checkpoint written.
    await sleep(100)
  }
  const walk = async (): Promise<ReadonlyArray<Mark>> => {
    const seen: Array<Mark> = []
    await reach(warmRecords)
    collect()
    for (const records of marks) {
      // oxlint-disable-next-line no-await-in-loop -- one stretch after the other
      const { cpu } = await measure(() => reach(warmRecords + records))
      const rss = process.memoryUsage.rss()
      collect()
      const { arrayBuffers, heapUsed } = process.memoryUsage()
      seen.push({ records, cpu, heap: heapUsed, buffers: arrayBuffers, rss })
    }
    tally.check(warmRecords + (marks.at(-1) ?? 0))
    return seen
  }
  return Effect.gen(function* () {
    const fake = yield* FakeKinesis.make({ streams: [{ name: stream, shards }] })
    return yield* KinesisConsumer.make(counting(tally), { stream, application: "bench" }).pipe(
      Effect.flatMap(({ join }) => Effect.raceFirst(join, Effect.promise(walk))),
      Effect.scoped,
      Effect.provide(
        Layer.mergeAll(
          fake.layer,
          Layer.succeed(Fetcher.Fetcher, source.fetcher),
          Journal.layerNone,
          Checkpoint.layerMemory,
          Solo.layer
        )
      )
    )
  })
}

/** Twice: what a finalizer of the first frees is collected by the second. */
const collect = () => {
  globalThis.gc?.()
  globalThis.gc?.()
}

Subprocess.answer<Task>((task) => Effect.runPromise(consume(task)))
