/**
 * `GetShardIterator` and `GetRecords` of a fake: positions, iterators and pages.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

import type * as KinesisClient from "../../KinesisClient.ts"
import type * as KinesisError from "../../KinesisError.ts"
import * as Model from "./Model.ts"
import * as Refusal from "./Refusal.ts"
import * as World from "./World.ts"

// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html
const iteratorLife = 5 * 60_000

// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
const pageRecords = 10_000

/**
 * The place that a position means now.
 *
 * @category getters
 * @since 0.1.0
 */
export const resolve = (
  world: World.World,
  operation: string,
  stream: Model.Stream,
  shard: Model.Shard,
  position: KinesisClient.Position
): Effect.Effect<bigint, KinesisError.KinesisError> => {
  const next = Model.orderOf(stream, shard, stream.counter + 1n)
  switch (position._tag) {
    case "TrimHorizon":
      return Effect.succeed(shard.records[0]?.order ?? next)
    case "Latest":
      return Effect.succeed(next)
    case "AtTimestamp":
      if (position.at > world.now) {
        return Refusal.refuse(
          "Invalid",
          operation,
          "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis."
        )
      }
      return Effect.succeed(shard.records.find(({ record }) => record.arrival >= position.at)?.order ?? next)
    default:
      return placed(world, operation, stream, shard, position)
  }
}

const placed = (
  world: World.World,
  operation: string,
  stream: Model.Stream,
  shard: Model.Shard,
  { _tag, sequenceNumber }: Extract<KinesisClient.Position, { readonly sequenceNumber: string }>
): Effect.Effect<bigint, KinesisError.KinesisError> => {
  const place = Model.placeOf(stream, shard, sequenceNumber)
  const where = `StartingSequenceNumber ${sequenceNumber} used in ${operation} on shard ${shard.shardId} in stream ${stream.name} under account 000000000000 is invalid because it`
  if (place === undefined) return Refusal.refuse("Invalid", operation, `${where} did not come from this stream.`)
  const trimmed = place <= shard.trimmed
  if (trimmed && world.options.trimmedPositions === "refused") {
    return Refusal.refuse("Invalid", operation, `${where} is older than the trim horizon.`)
  }
  return Effect.succeed(_tag === "After" ? place + 1n : place)
}

/**
 * A page from a place on.
 *
 * @category models
 * @since 0.1.0
 */
export interface Cut {
  readonly records: ReadonlyArray<KinesisClient.Record>
  /** Where the next page begins; `undefined` at the end of a closed shard. */
  readonly next: bigint | undefined
  readonly millisBehindLatest: number
  readonly children: ReadonlyArray<string>
}

/**
 * Cuts the next page: at least one record where there is one, else as many as fit.
 *
 * @category getters
 * @since 0.1.0
 */
export const cut = (
  world: World.World,
  stream: Model.Stream,
  shard: Model.Shard,
  from: bigint,
  limit: number = pageRecords
): Cut => {
  // AWS keeps a reader in the void of expired records: empty pages that are a whole retention behind.
  if (world.options.trimmedPositions === "stuck" && from <= shard.trimmed) {
    return { records: [], next: from, millisBehindLatest: stream.settings.retention, children: [] }
  }
  const first = Model.firstFrom(shard, from)
  const taken = fitting(shard, first, Math.min(limit, pageRecords), world.limits.pageBytes)
  const last = taken.at(-1)
  const following = shard.records[first + taken.length]
  const ended = shard.closedAt !== undefined && following === undefined
  return {
    records: taken.map(({ record }) => record),
    next: ended ? undefined : last === undefined ? from : last.order + 1n,
    millisBehindLatest: following === undefined ? 0 : Math.max(1, world.now - following.record.arrival),
    children: ended && stream.settings.namesChildren ? shard.children : []
  }
}

const fitting = (shard: Model.Shard, first: number, limit: number, bytes: number): ReadonlyArray<Model.Stored> => {
  const taken: Array<Model.Stored> = []
  let size = 0
  for (let index = first; index < shard.records.length && taken.length < limit; index++) {
    const stored = shard.records[index]
    if (stored === undefined) break
    size += sizeOf(stored.record)
    if (taken.length > 0 && size > bytes) break
    taken.push(stored)
  }
  return taken
}

/**
 * The bytes of a record that count: data and key.
 *
 * @category getters
 * @since 0.1.0
 */
export const sizeOf = (record: { readonly data: Uint8Array; readonly partitionKey: string }): number =>
  record.data.byteLength + Buffer.byteLength(record.partitionKey, "utf8")

interface Iterator {
  readonly stream: string
  readonly generation: number
  readonly shardId: string
  readonly from: string
  readonly at: number
}

const encode = (iterator: Iterator): string => Buffer.from(JSON.stringify(iterator)).toString("base64url")

// Only this module makes them, so what decodes is one.
const decode = (text: string): Iterator | undefined => {
  try {
    const parsed: Iterator = JSON.parse(Buffer.from(text, "base64url").toString("utf8"))
    return parsed
  } catch {
    return undefined
  }
}

/**
 * `GetShardIterator`.
 *
 * @category calls
 * @since 0.1.0
 */
export const getShardIterator =
  (world: World.World): KinesisClient.KinesisClient["Service"]["getShardIterator"] =>
  (stream, shardId, position) =>
    World.call(world, { operation: "GetShardIterator", stream, shardId, asked: position }, (now) =>
      Effect.gen(function* () {
        const found = yield* World.activeStream(world, "GetShardIterator", stream)
        const shard = yield* World.shardOf(found, "GetShardIterator", shardId)
        const from = yield* resolve(world, "GetShardIterator", found, shard, position)
        return encode({ stream: found.name, generation: found.generation, shardId, from: from.toString(), at: now })
      })
    )

/**
 * `GetRecords`.
 *
 * @category calls
 * @since 0.1.0
 */
export const getRecords =
  (world: World.World): KinesisClient.KinesisClient["Service"]["getRecords"] =>
  (text, limit) => {
    const iterator = decode(text)
    if (iterator === undefined) return Refusal.refuse("Invalid", "GetRecords", "Invalid ShardIterator.")
    const subject = { stream: iterator.stream, shardId: iterator.shardId }
    return World.call(world, { operation: "GetRecords", ...subject, asked: limit }, (now, fault) =>
      read(world, iterator, fault._tag === "Nothing" ? 0 : limit, now)
    )
  }

const read = Effect.fnUntraced(function* (world: World.World, iterator: Iterator, limit: number, now: number) {
  const stream = yield* World.activeStream(world, "GetRecords", iterator.stream)
  if (stream.generation !== iterator.generation) {
    return yield* Refusal.refuse("NotFound", "GetRecords", `the stream of this iterator was deleted`)
  }
  const shard = yield* World.shardOf(stream, "GetRecords", iterator.shardId)
  if (now - iterator.at > iteratorLife) {
    return yield* Refusal.refuse("ExpiredIterator", "GetRecords", "Iterator expired.")
  }
  const name = `${stream.generation}/${shard.shardId}`
  if (!world.throttle.read(name)) {
    return yield* Refusal.refuse(
      "Throttled",
      "GetRecords",
      `Rate exceeded for shard ${shard.shardId} in stream ${stream.name}.`
    )
  }
  const page = cut(world, stream, shard, BigInt(iterator.from), limit)
  world.throttle.gave(
    name,
    page.records.reduce((bytes, record) => bytes + sizeOf(record), 0)
  )
  const next = page.next === undefined ? undefined : encode({ ...iterator, from: page.next.toString(), at: now })
  return { ...page, next }
})
