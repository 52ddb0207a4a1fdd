/**
 * What AWS does and kinesalite does not, operation by operation: limits per shard with failures per entry, StreamARN,
 * pages of bytes, `MillisBehindLatest`, `ChildShards`, pages of shards, a start in time without records.
 *
 * @since 0.1.0
 */
import * as Engine from "./Engine.ts"
import * as Iterator from "./Iterator.ts"
import * as Limits from "./Limits.ts"
import * as ShardRouting from "./ShardRouting.ts"
import * as Shards from "./Shards.ts"

/**
 * The input of an operation, as it came over the wire.
 *
 * @category models
 * @since 0.1.0
 */
export type Input = { readonly [field: string]: unknown }

/**
 * Answers operations.
 *
 * @category models
 * @since 0.1.0
 */
export interface Facade {
  readonly answer: (operation: string, input: Input) => Promise<Engine.Answer>
}

interface Tip {
  readonly sequenceNumber: bigint
  readonly arrival: number
}

interface Room {
  readonly engine: Engine.Engine
  readonly shards: Shards.Shards
  readonly throttle: Limits.Throttle
  readonly limits: ReturnType<typeof Limits.withDefaults>
  readonly tips: Map<string, Tip>
  readonly now: () => number
}

/**
 * A facade before an engine.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (engine: Engine.Engine, options: Limits.Limits | undefined, now: () => number): Facade => {
  const room: Room = {
    engine,
    shards: Shards.make(engine, now),
    throttle: Limits.make(options, now),
    limits: Limits.withDefaults(options),
    tips: new Map(),
    now
  }
  return { answer: (operation, input) => (operations[operation] ?? other(operation))(room, named(input)) }
}

type Operation = (room: Room, input: Input) => Promise<Engine.Answer>

/** kinesalite knows names only; every operation of AWS takes an ARN as well. */
const named = (input: Input): Input => {
  const { StreamARN: arn, StreamId: _, ...rest } = input
  return typeof arn === "string" && rest["StreamName"] === undefined ? { ...rest, StreamName: arn.split("/")[1] } : rest
}

const other =
  (operation: string): Operation =>
  async (room, input) => {
    const answer = await room.engine.call(operation, input)
    if (/Stream|Shard/.test(operation)) room.shards.forget()
    return answer
  }

const text = (input: Input, field: string): string => {
  const value = input[field]
  return typeof value === "string" ? value : ""
}

const entry = (value: unknown): Input => (typeof value === "object" && value !== null ? { ...value } : {})

/** Data and partition key, both in bytes: what AWS counts. */
const size = (record: Input): number =>
  Buffer.byteLength(text(record, "Data"), "base64") + Buffer.byteLength(text(record, "PartitionKey"))

const rateExceeded = (shard: string, stream: string): string =>
  `Rate exceeded for shard ${shard} in stream ${stream} under account 000000000000.`

const routed = (ranges: ReadonlyArray<ShardRouting.HashRange>, record: Input): string | undefined => {
  const explicit = record["ExplicitHashKey"]
  return ShardRouting.shardOf(ranges, {
    partitionKey: text(record, "PartitionKey"),
    explicitHashKey: typeof explicit === "string" ? explicit : undefined
  })
}

const settle = (room: Room, stream: string, accepted: Input): void => {
  const sequenceNumber = text(accepted, "SequenceNumber")
  if (sequenceNumber === "") return
  room.tips.set(`${stream}/${text(accepted, "ShardId")}`, {
    sequenceNumber: BigInt(sequenceNumber),
    arrival: room.now()
  })
}

const putRecord: Operation = async (room, input) => {
  const stream = text(input, "StreamName")
  const shard = routed(await room.shards.ranges(stream), input)
  if (shard !== undefined && !room.throttle.write(`${stream}/${shard}`, size(input))) {
    return Engine.failure("ProvisionedThroughputExceededException", rateExceeded(shard, stream))
  }
  const answer = await room.engine.call("PutRecord", input)
  if (answer.status === 200) settle(room, stream, Engine.fields(answer))
  return answer
}

const putRecords: Operation = async (room, input) => {
  const stream = text(input, "StreamName")
  const records = Array.isArray(input["Records"]) ? input["Records"].map(entry) : []
  // What kinesalite itself refuses (none, too many, wrong types) it refuses in AWS's words.
  if (records.length === 0 || records.length > 500) return room.engine.call("PutRecords", input)
  if (records.reduce((sum, record) => sum + size(record), 0) > room.limits.requestBytes) {
    return Engine.failure("InvalidArgumentException", "Records size exceeds the limit of a request.")
  }
  const ranges = await room.shards.ranges(stream)
  const refusals = records.map((record) => refusal(room, stream, routed(ranges, record), size(record)))
  const accepted = await putAll(
    room,
    input,
    records.filter((_, index) => refusals[index] === undefined)
  )
  if (!Array.isArray(accepted)) return accepted
  for (const result of accepted) settle(room, stream, result)
  let next = 0
  return Engine.answer({
    FailedRecordCount: refusals.filter((refused) => refused !== undefined).length,
    Records: refusals.map((refused) => refused ?? accepted[next++]),
    EncryptionType: "NONE"
  })
}

const refusal = (room: Room, stream: string, shard: string | undefined, bytes: number): object | undefined =>
  shard === undefined || room.throttle.write(`${stream}/${shard}`, bytes)
    ? undefined
    : { ErrorCode: "ProvisionedThroughputExceededException", ErrorMessage: rateExceeded(shard, stream) }

// kinesalite refuses bodies above 7 MiB; base64 adds a third to the bytes of the data.
const slice = 4 * 1024 * 1024

/** The results in order, or the first error of the engine. */
const putAll = async (
  room: Room,
  input: Input,
  records: ReadonlyArray<Input>
): Promise<Array<Input> | Engine.Answer> => {
  const results: Array<Input> = []
  for (let from = 0; from < records.length;) {
    let to = from
    for (let bytes = 0; to < records.length; to++) {
      bytes += size(records[to] ?? {})
      if (bytes > slice && to > from) break
    }
    // oxlint-disable-next-line no-await-in-loop -- the slices of one request keep their order
    const answer = await room.engine.call("PutRecords", { ...input, Records: records.slice(from, to) })
    if (answer.status !== 200) return answer
    const part = Engine.fields(answer)["Records"]
    if (Array.isArray(part)) results.push(...part.map(entry))
    from = to
  }
  return results
}

const getShardIterator: Operation = async (room, input) => {
  const tip = room.tips.get(`${text(input, "StreamName")}/${text(input, "ShardId")}`)
  const timestamp = input["Timestamp"]
  // kinesalite never answers a start in time behind which no record lies.
  const beyond = typeof timestamp === "number" && (tip === undefined || tip.arrival < timestamp * 1000)
  if (input["ShardIteratorType"] !== "AT_TIMESTAMP" || !beyond || timestamp * 1000 > room.now()) {
    return room.engine.call("GetShardIterator", input)
  }
  const { Timestamp: _, ...rest } = input
  return room.engine.call("GetShardIterator", { ...rest, ShardIteratorType: "LATEST" })
}

const getRecords: Operation = async (room, input) => {
  const target = Iterator.target(text(input, "ShardIterator"))
  if (target === undefined) return room.engine.call("GetRecords", input)
  const shard = `${target.stream}/${target.shardId}`
  if (!room.throttle.read(shard)) {
    return Engine.failure("ProvisionedThroughputExceededException", rateExceeded(target.shardId, target.stream))
  }
  const answer = await room.engine.call("GetRecords", input)
  if (answer.status !== 200) return answer
  const page = await cut(room, target, Engine.fields(answer))
  room.throttle.gave(shard, page.bytes)
  const ended = text(page.fields, "NextShardIterator") === ""
  const { NextShardIterator: next, ...rest } = page.fields
  return Engine.answer({
    ...rest,
    ...(ended
      ? { ChildShards: Shards.children(await room.shards.list(target.stream), target.shardId) }
      : { NextShardIterator: next }),
    MillisBehindLatest: behind(room, shard, page.records.at(-1))
  })
}

interface Page {
  readonly fields: Input
  readonly records: ReadonlyArray<Input>
  readonly bytes: number
}

/** Keeps as many records as one page holds, at least one, and points the next iterator behind them. */
const cut = async (room: Room, target: Iterator.Target, fields: Input): Promise<Page> => {
  const records = Array.isArray(fields["Records"]) ? fields["Records"].map(entry) : []
  let bytes = 0
  let count = 0
  for (const record of records) {
    if (count > 0 && bytes + size(record) > room.limits.pageBytes) break
    bytes += size(record)
    count++
  }
  if (count === records.length) return { fields, records, bytes }
  const kept = records.slice(0, count)
  const answer = await room.engine.call("GetShardIterator", {
    StreamName: target.stream,
    ShardId: target.shardId,
    ShardIteratorType: "AFTER_SEQUENCE_NUMBER",
    StartingSequenceNumber: text(kept.at(-1) ?? {}, "SequenceNumber")
  })
  const next = Engine.fields(answer)["ShardIterator"]
  return { fields: { ...fields, Records: kept, NextShardIterator: next }, records: kept, bytes }
}

/** An empty page of kinesalite is always at the tip: it skips nothing. */
const behind = (room: Room, shard: string, last: Input | undefined): number => {
  const tip = room.tips.get(shard)
  const arrival = last?.["ApproximateArrivalTimestamp"]
  if (tip === undefined || last === undefined || typeof arrival !== "number") return 0
  if (BigInt(text(last, "SequenceNumber")) >= tip.sequenceNumber) return 0
  return Math.max(1, Math.round(room.now() - arrival * 1000))
}

const listShards: Operation = async (room, input) => {
  const token = text(input, "NextToken")
  const [stream, after] =
    token === "" ? [text(input, "StreamName"), text(input, "ExclusiveStartShardId")] : token.split(":")
  const answer = await room.engine.call("ListShards", { StreamName: stream })
  if (answer.status !== 200) return answer
  const all = Engine.fields(answer)["Shards"]
  const rest = (Array.isArray(all) ? all.map(entry) : []).filter((shard) => text(shard, "ShardId") > (after ?? ""))
  const page = rest.slice(0, typeof input["MaxResults"] === "number" ? input["MaxResults"] : 1000)
  const last = page.at(-1)
  const more = last !== undefined && page.length < rest.length
  return Engine.answer({ Shards: page, ...(more ? { NextToken: `${stream}:${text(last, "ShardId")}` } : {}) })
}

const operations: { readonly [operation: string]: Operation } = Object.assign(Object.create(null), {
  PutRecord: putRecord,
  PutRecords: putRecords,
  GetShardIterator: getShardIterator,
  GetRecords: getRecords,
  ListShards: listShards
})
