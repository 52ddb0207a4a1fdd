/**
 * The records of a shard from one sequence number to another, both included, while the stream has them.
 *
 * **Guarantees.** Records come in the shard's order, each once. What expired is named: a range that is no longer there is
 * a piece of its own, never silence.
 *
 * **Details.** One read a second, of the five that a shard answers: the live consumers keep the rest.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"

import * as Void from "../fetcher/Void.ts"
import type * as KinesisClient from "../KinesisClient.ts"
import type * as KinesisError from "../KinesisError.ts"
import * as SequenceNumber from "../SequenceNumber.ts"

/**
 * What to read.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamRange {
  readonly streamArn: string
  readonly shardId: string
  readonly startSequenceNumber: string
  readonly endSequenceNumber: string
  /** How many records the range is known to hold; it may hold more. */
  readonly batchSize: number
}

/**
 * A range of sequence numbers of which the stream has no records any more, both ends included.
 *
 * @category models
 * @since 0.1.0
 */
export interface Gone {
  readonly streamArn: string
  readonly shardId: string
  readonly startSequenceNumber: string
  readonly endSequenceNumber: string
}

/**
 * What lies in a range, in order.
 *
 * @category models
 * @since 0.1.0
 */
export type Piece =
  | { readonly _tag: "Records"; readonly records: ReadonlyArray<KinesisClient.Record> }
  | { readonly _tag: "Gone"; readonly gone: Gone }

/**
 * Reads a range.
 *
 * **Details**
 *
 * A throttled or unanswered call is tried again for about half a minute; an iterator that expired is renewed at the last
 * record that was read: where that one doesn't come again, it has expired, and perhaps what followed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const read = (
  client: KinesisClient.KinesisClient["Service"],
  range: StreamRange
): Stream.Stream<Piece, KinesisError.KinesisError> =>
  Stream.suspend(() => {
    const reader = new Reader(client, range)
    return Stream.paginate(undefined, () =>
      Effect.map(reader.next, (pieces) => [pieces, reader.done ? Option.none() : Option.some(undefined)] as const)
    )
  })

// After a throttled read AWS asks for a second of rest; 8 tries span half a minute.
const patience = Schedule.max([Schedule.exponential("250 millis"), Schedule.recurs(7)])

const betweenReads = 1_000

const pageLimit = 10_000

/** The state of one reading. */
class Reader {
  done = false
  #iterator: string | undefined
  #last: string | undefined
  #due = 0
  /** Pages in a row that were empty and as far behind as a stream can be. */
  #voids = 0
  #fromHorizon = false
  /** Whether the next record is the first after a new beginning, which may leave a gap behind the last that was read. */
  #fresh = true
  readonly #client: KinesisClient.KinesisClient["Service"]
  readonly #range: StreamRange

  constructor(client: KinesisClient.KinesisClient["Service"], range: StreamRange) {
    this.#client = client
    this.#range = range
  }

  get next(): Effect.Effect<ReadonlyArray<Piece>, KinesisError.KinesisError> {
    const once = Effect.tapError(
      Effect.suspend(() => this.#page),
      (error) =>
        Effect.sync(() => {
          if (error.reason === "ExpiredIterator") this.#iterator = undefined
        })
    )
    const persistent = Effect.retry(once, {
      while: (error) => error.retryable || error.reason === "ExpiredIterator",
      schedule: patience
    })
    return Effect.flatMap(persistent, (page) =>
      page === undefined ? Effect.succeed(this.#end()) : Effect.as(this.#leaveVoid(page), this.#take(page))
    )
  }

  /** `undefined`: the shard itself is gone. */
  get #page(): Effect.Effect<KinesisClient.Page | undefined, KinesisError.KinesisError> {
    const { batchSize, endSequenceNumber, startSequenceNumber } = this.#range
    // Reads are scarce; what lies behind the range is not ours to read.
    const few = startSequenceNumber === endSequenceNumber ? 1 : Math.min(pageLimit, Math.max(100, batchSize))
    return Effect.gen({ self: this }, function* () {
      const now = yield* Clock.currentTimeMillis
      if (this.#due > now) yield* Effect.sleep(this.#due - now)
      this.#iterator ??= yield* this.#open
      if (this.#iterator === undefined) return undefined
      const page = yield* this.#client.getRecords(this.#iterator, this.#fromHorizon ? pageLimit : few)
      this.#due = (yield* Clock.currentTimeMillis) + betweenReads
      this.#iterator = page.next
      return page
    })
  }

  get #open(): Effect.Effect<string | undefined, KinesisError.KinesisError> {
    const { shardId, streamArn } = this.#range
    this.#fresh = true
    return this.#client.getShardIterator(streamArn, shardId, this.#position()).pipe(
      // A number that this stream doesn't know: it was made anew, or forgot it. What is left begins at its horizon.
      Effect.catchIf(
        (error) => error.reason === "Invalid",
        () => {
          this.#fromHorizon = true
          return this.#client.getShardIterator(streamArn, shardId, this.#position())
        }
      ),
      Effect.catchIf(
        (error) => error.reason === "NotFound",
        (error) => this.#missing(error)
      )
    )
  }

  #position(): KinesisClient.Position {
    if (this.#fromHorizon) return { _tag: "TrimHorizon" }
    return { _tag: "At", sequenceNumber: this.#last ?? this.#range.startSequenceNumber }
  }

  /** A number that expired may get a reader whom AWS keeps among the expired: empty pages for ever. */
  #leaveVoid(page: KinesisClient.Page): Effect.Effect<void, KinesisError.KinesisError> {
    this.#voids = !this.#fromHorizon && Void.isDeep(page) ? this.#voids + 1 : 0
    if (!Void.isDue(this.#voids)) return Effect.void
    return Effect.map(
      Effect.retry(this.#client.describeStreamSummary(this.#range.streamArn), {
        while: (error) => error.retryable,
        schedule: patience
      }),
      ({ retention }) => {
        if (!Void.isBeyond(page, retention)) return
        this.#fromHorizon = true
        this.#iterator = undefined
      }
    )
  }

  /** AWS has one name for a stream that is not there, which is a mistake, and for a shard that expired, which is none. */
  #missing(error: KinesisError.KinesisError): Effect.Effect<undefined, KinesisError.KinesisError> {
    return Effect.flatMap(this.#client.listShards(this.#range.streamArn), (shards) =>
      shards.some((shard) => shard.shardId === this.#range.shardId) ? Effect.fail(error) : Effect.succeed(undefined)
    )
  }

  #take(page: KinesisClient.Page): ReadonlyArray<Piece> {
    const { endSequenceNumber, startSequenceNumber } = this.#range
    const records = page.records.filter(
      ({ sequenceNumber }) =>
        !SequenceNumber.isBefore(sequenceNumber, this.#last ?? startSequenceNumber) &&
        !SequenceNumber.isBefore(endSequenceNumber, sequenceNumber) &&
        sequenceNumber !== this.#last
    )
    const pieces = records.length === 0 ? [] : [...this.#before(page, records), { _tag: "Records", records } as const]
    this.#fresh &&= page.records.length === 0
    this.#last = records.at(-1)?.sequenceNumber ?? this.#last
    return this.#isOver(page) ? [...pieces, ...this.#end()] : pieces
  }

  /** The end was reached or passed, the shard is read out, or the tip is: what isn't there by now never will be. */
  #isOver({ millisBehindLatest, next, records }: KinesisClient.Page): boolean {
    const furthest = records.at(-1)
    if (next === undefined) return true
    if (furthest === undefined) return millisBehindLatest === 0
    return !SequenceNumber.isBefore(furthest.sequenceNumber, this.#range.endSequenceNumber)
  }

  /**
   * Records expire from the oldest on: what lies between the start and the first that is left is gone, and what lies
   * between the last that was read and the oldest, where reading had to begin anew.
   */
  #before(
    { records: [oldest] }: KinesisClient.Page,
    [first]: ReadonlyArray<KinesisClient.Record>
  ): ReadonlyArray<Piece> {
    if (first === undefined || oldest === undefined) return []
    const read = this.#last
    if (read !== undefined && !(this.#fresh && SequenceNumber.isBefore(read, oldest.sequenceNumber))) return []
    const from = this.#missingFrom()
    return first.sequenceNumber === from ? [] : [this.#gone(from, String(BigInt(first.sequenceNumber) - 1n))]
  }

  /** The first number that has not been read. */
  #missingFrom(): string {
    return this.#last === undefined ? this.#range.startSequenceNumber : String(BigInt(this.#last) + 1n)
  }

  #end(): ReadonlyArray<Piece> {
    const { endSequenceNumber } = this.#range
    this.done = true
    return this.#last === endSequenceNumber ? [] : [this.#gone(this.#missingFrom(), endSequenceNumber)]
  }

  #gone(startSequenceNumber: string, endSequenceNumber: string): Piece {
    const { shardId, streamArn } = this.#range
    return { _tag: "Gone", gone: { streamArn, shardId, startSequenceNumber, endSequenceNumber } }
  }
}
