/**
 * The loop of one shard: read, drop what no filter wants, hand to the lanes, send their batches, go on.
 *
 * It reads only while a lane has nothing to do, and not further ahead of the oldest record that is not done than
 * {@link furthest}: a slow function slows reading, and a failing one holds its lane, then its shard.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Latch from "effect/Latch"

import type * as KinesisClient from "../KinesisClient.ts"
import type * as KinesisError from "../KinesisError.ts"
import * as ShardPosition from "../ShardPosition.ts"
import * as Aggregates from "./Aggregates.ts"
import * as Batch from "./Batch.ts"
import type * as Committer from "./Committer.ts"
import type * as Filter from "./Filter.ts"
import * as Lane from "./Lane.ts"
import type * as Reader from "./Reader.ts"
import * as Sender from "./Sender.ts"
import * as Watermark from "./Watermark.ts"
import * as Window from "./Window.ts"

/**
 * What a poller needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Omit<Sender.Options, "settle"> {
  readonly reader: Reader.Reader
  readonly bounds: Batch.Bounds
  /** Milliseconds that a batch waits for more. */
  readonly window: number
  readonly parallelizationFactor: number
  /** `undefined`: every record passes. */
  readonly filter: Filter.Filter | undefined
  /** Milliseconds. */
  readonly tumblingWindow: number | undefined
  readonly aggregates: "warn" | "refuse"
  readonly commit: Committer.Committer
  /** The record up to which all is done or given up. */
  readonly passed: (sequenceNumber: string) => void
  /** Called before a read; what it returns is called when that read met the tip and all up to there is done. */
  readonly reading: () => () => void
}

/**
 * Why a shard stops the mapping.
 *
 * @category models
 * @since 0.1.0
 */
export type Failure = KinesisError.KinesisError | Committer.Failure

/**
 * How many records lie between the oldest that is not done and the newest that was read, but for one page; and how many
 * bytes, for each lane.
 *
 * @category constants
 * @since 0.1.0
 */
export const furthest = { records: 10_000, bytes: Batch.largestPayload }

/**
 * Runs until the shard's end was read and its last record is done or given up.
 *
 * @category running
 * @since 0.1.0
 */
export const run = Effect.fnUntraced(function* (options: Options): Effect.fn.Return<void, Failure, never> {
  const shard = make(options)
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const sending = yield* FiberSet.make<void, Failure>()
      return yield* Effect.raceFirst(loop(shard, sending), Effect.andThen(FiberSet.join(sending), Effect.never))
    })
  )
})

interface Shard {
  readonly options: Options
  readonly lanes: ReadonlyArray<Lane.Lane>
  readonly watermark: Watermark.Watermark
  readonly sender: Sender.Sender
  /** Opened when a lane has become idle. */
  readonly wake: Latch.Latch
  readonly aggregates: Aggregates.Watch
  open: boolean
  tip: Tip | undefined
  tipAt: number
}

/** The end of the shard as a read met it, and how many records had been read by then. */
interface Tip {
  readonly reached: () => void
  readonly ahead: number
}

const make = (options: Options): Shard => {
  const watermark = new Watermark.Watermark()
  const shard: Shard = {
    options,
    watermark,
    lanes: Lane.make(options.parallelizationFactor),
    wake: Latch.makeUnsafe(false),
    aggregates: Aggregates.watch(options),
    sender: Sender.make({ ...options, settle: (records) => settle(shard, records) }),
    open: true,
    tip: undefined,
    tipAt: -Infinity
  }
  return shard
}

const settle = Effect.fnUntraced(function* (shard: Shard, records: ReadonlyArray<KinesisClient.Record>) {
  const { options, sender, watermark } = shard
  watermark.settle(records)
  if (watermark.position !== undefined) options.passed(watermark.position)
  // What a window has gathered is only in its state, which is lost in a crash: then its records are needed again.
  const gathering = sender.window()?.range !== undefined
  if (!gathering && watermark.position !== undefined) yield* options.commit(() => positionOf(watermark))
  if (shard.tip === undefined || watermark.passed < shard.tip.ahead) return
  shard.tip.reached()
  shard.tip = undefined
})

const positionOf = ({ position }: Watermark.Watermark): ShardPosition.ShardPosition =>
  position === undefined ? ShardPosition.trimHorizon : ShardPosition.after(position)

const loop = Effect.fnUntraced(function* (shard: Shard, sending: FiberSet.FiberSet<void, Failure>) {
  const { lanes, wake } = shard
  while (true) {
    wake.closeUnsafe()
    const now = yield* Clock.currentTimeMillis
    let until: number | undefined
    for (const lane of lanes) {
      if (lane.busy) continue
      const step = next(shard, lane, now)
      if (step._tag === "Wait") until = earliest(until, step.until)
      else yield* FiberSet.run(sending, work(shard, lane, step))
    }
    const idle = lanes.filter((lane) => !lane.busy)
    if (!shard.open && idle.length === lanes.length && lanes.every(isEmpty)) return
    if (shard.open && idle.length > 0 && hasRoom(shard)) yield* readWhenDue(shard, until)
    else yield* rest(shard, until, now)
  }
})

const next = (shard: Shard, lane: Lane.Lane, now: number): Lane.Step => {
  const { options, sender } = shard
  const [first] = lane.buffer
  if (first !== undefined) {
    lane.deadline ??= now + options.window
    if (options.tumblingWindow !== undefined && sender.window() === undefined) {
      sender.open(Window.open(first, options.tumblingWindow))
    }
  }
  const window = sender.window()
  const bounds = window === undefined ? options.bounds : besideState(options.bounds, window)
  const step = Lane.next(lane, { now, bounds, open: shard.open, window, tipAt: shard.tipAt })
  // Taken now, not when the fiber begins: the loop may come by before.
  if (step._tag !== "Wait") lane.busy = true
  return step
}

/** The state travels in the same payload, with some hundred bytes around it. */
const besideState = (bounds: Batch.Bounds, window: Window.Window): Batch.Bounds => ({
  ...bounds,
  payloadBytes: bounds.payloadBytes - Window.bytesOf(window.state) - 1024
})

const work = (
  shard: Shard,
  lane: Lane.Lane,
  step: Exclude<Lane.Step, { readonly _tag: "Wait" }>
): Effect.Effect<void, Committer.Failure> => {
  const { sender, wake } = shard
  const sent = step._tag === "Close" ? sender.close : sender.send(lane.buffer.splice(0, step.count))
  return Effect.ensuring(
    sent,
    Effect.sync(() => {
      lane.busy = false
      lane.deadline = undefined
      wake.openUnsafe()
    })
  )
}

const isEmpty = (lane: Lane.Lane): boolean => lane.buffer.length === 0

const earliest = (left: number | undefined, right: number | undefined): number | undefined =>
  left === undefined || right === undefined ? (left ?? right) : Math.min(left, right)

const hasRoom = ({ lanes, watermark }: Shard): boolean =>
  lanes.length === 1 || (watermark.open < furthest.records && watermark.bytes < lanes.length * furthest.bytes)

const rest = ({ wake }: Shard, until: number | undefined, now: number): Effect.Effect<void> =>
  until === undefined ? wake.await : Effect.raceFirst(wake.await, Effect.sleep(Math.max(0, until - now)))

/** A lane that becomes idle, or a batch whose time has come, goes before a read. */
const readWhenDue = Effect.fnUntraced(function* (shard: Shard, until: number | undefined) {
  const { options, wake } = shard
  const due = yield* Effect.raceFirst(options.reader.pause(until), Effect.as(wake.await, false))
  if (!due) return
  const began = yield* Clock.currentTimeMillis
  const reached = options.reading()
  const page = yield* options.reader.read
  shard.open = page.next !== undefined
  yield* take(shard, page.records)
  if (!shard.open || page.millisBehindLatest > 0) return
  shard.tipAt = began
  // One tip at a time: with records coming in all the while a later one would always push it ahead.
  shard.tip ??= { reached, ahead: shard.watermark.offered }
  yield* settle(shard, [])
})

const take = Effect.fnUntraced(function* (shard: Shard, records: ReadonlyArray<KinesisClient.Record>) {
  const { aggregates, lanes, options, watermark } = shard
  if (records.length === 0) return
  yield* aggregates(records)
  watermark.offer(records)
  const { filter, shardId, source } = options
  if (filter === undefined) {
    Lane.offer(lanes, records)
    return
  }
  const wanted: Array<KinesisClient.Record> = []
  const dropped: Array<KinesisClient.Record> = []
  for (const record of records) {
    const passes = filter(record, { shardId, streamArn: source.streamArn })
    ;(passes ? wanted : dropped).push(record)
  }
  Lane.offer(lanes, wanted)
  if (dropped.length === 0) return
  options.emit({ _tag: "Filtered", shardId, records: dropped.length })
  yield* settle(shard, dropped)
})
