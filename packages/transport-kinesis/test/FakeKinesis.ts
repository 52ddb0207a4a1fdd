import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

import * as KinesisClient from "../src/KinesisClient.ts"
import * as KinesisError from "../src/KinesisError.ts"

interface FakeShard {
  readonly shardId: string
  readonly parents: ReadonlyArray<string>
  readonly records: Array<KinesisClient.Record>
  closed: boolean
}

const five = 5 * 60_000
const everything: KinesisClient.HashRange = { start: 0n, end: (1n << 128n) - 1n }

export const failure = (reason: KinesisError.Reason, operation = "GetRecords") =>
  new KinesisError.KinesisError({ reason, operation, message: reason, retryable: KinesisError.isRetryable(reason) })

/** A stream on the test's clock: records, iterators that expire, reads that are counted, failures on demand. */
export class FakeKinesis {
  readonly shards: Array<FakeShard> = []
  /** When each shard was read, in order. */
  readonly reads: Array<{ readonly shardId: string; readonly at: number }> = []
  readonly iterators: Array<KinesisClient.Position> = []
  /** What the next reads fail with. */
  readonly failures: Array<KinesisError.Reason> = []
  retention = 24 * 3_600_000
  #next = 1

  constructor(...shardIds: ReadonlyArray<string>) {
    for (const shardId of shardIds) this.add(shardId)
  }

  add(shardId: string, ...parents: ReadonlyArray<string>): void {
    for (const parent of parents) this.shard(parent).closed = true
    this.shards.push({ shardId, parents, records: [], closed: false })
  }

  shard(shardId: string): FakeShard {
    const found = this.shards.find((shard) => shard.shardId === shardId)
    if (found === undefined) throw new Error(`no shard ${shardId}`)
    return found
  }

  put(shardId: string, texts: ReadonlyArray<string>, arrival: number): void {
    for (const text of texts) {
      const sequenceNumber = String(this.#next++)
      this.shard(shardId).records.push({ sequenceNumber, partitionKey: "k", data: Buffer.from(text), arrival })
    }
  }

  get layer(): Layer.Layer<KinesisClient.KinesisClient> {
    const first = (shardId: string, position: KinesisClient.Position, now: number): number => {
      const { records } = this.shard(shardId)
      if (position._tag === "TrimHorizon") return 0
      if (position._tag === "Latest") return records.length
      const from = records.findIndex((record) =>
        position._tag === "AtTimestamp"
          ? record.arrival >= position.at
          : BigInt(record.sequenceNumber) > BigInt(position.sequenceNumber) - (position._tag === "At" ? 1n : 0n)
      )
      return from === -1 ? records.length : Math.min(from, now >= 0 ? from : 0)
    }
    return Layer.succeed(KinesisClient.KinesisClient, {
      putRecords: () => Effect.die("not used"),
      createStream: () => Effect.die("not used"),
      describeStreamSummary: () =>
        Effect.succeed({
          streamArn: "arn:aws:kinesis:us-east-1:000000000000:stream/s",
          status: "ACTIVE",
          retention: this.retention,
          openShards: this.shards.length,
          maxRecordBytes: 1024 * 1024,
          ignoresPartitionKeys: false,
          createdAt: 0,
          mode: "PROVISIONED" as const
        }),
      registerConsumer: () => Effect.die("not used"),
      describeConsumer: () => Effect.die("not used"),
      deregisterConsumer: () => Effect.die("not used"),
      subscribeToShard: () => Stream.die("not used"),
      listShards: () =>
        Effect.sync(() =>
          this.shards.map(({ closed, parents, shardId }) => ({ closed, parents, shardId, hashRange: everything }))
        ),
      getShardIterator: (_, shardId, position) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          this.iterators.push(position)
          return `${shardId}/${first(shardId, position, now)}/${now}`
        }),
      getRecords: (iterator, limit) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          const [shardId = "", index = "0", issued = "0"] = iterator.split("/")
          this.reads.push({ shardId, at: now })
          const injected = this.failures.shift()
          if (injected !== undefined) return Effect.fail(failure(injected))
          if (now - Number(issued) > five) return Effect.fail(failure("ExpiredIterator"))
          const { closed, records } = this.shard(shardId)
          const page = records.slice(Number(index), Number(index) + limit)
          const next = Number(index) + page.length
          const ended = closed && next === records.length
          return Effect.succeed({
            records: page,
            next: ended ? undefined : `${shardId}/${next}/${now}`,
            millisBehindLatest: next < records.length ? 1 : 0,
            children: []
          })
        })
    })
  }
}
