/**
 * Takes the envelopes of calls into the lanes: encoded as late as there is room for them, a request's worth at a time.
 *
 * @since 0.1.0
 */
import type { PublishError } from "@leat/core/Publisher"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"

import type * as KinesisClient from "../KinesisClient.ts"
import type { Admission } from "./Admission.ts"
import type { Book } from "./Book.ts"
import type { Call } from "./Call.ts"
import type { Lanes } from "./Lanes.ts"
import * as RecordLimits from "./RecordLimits.ts"
import type { StreamFacts } from "./StreamFacts.ts"

/**
 * The envelopes of a call.
 *
 * @category models
 * @since 0.1.0
 */
export interface Source {
  readonly count: number
  /** `undefined` where an envelope has no key. */
  readonly keyOf: (index: number) => string | undefined
  /** Encodes an envelope. `largest`: record limit in bytes. */
  readonly encode: (index: number, largest: number) => Encoded
}

/**
 * An envelope that can be sent, or why it can't.
 *
 * @category models
 * @since 0.1.0
 */
export type Encoded =
  | { readonly entry: KinesisClient.Entry; readonly size: number }
  | { readonly partitionKey: string; readonly error: PublishError }

/**
 * What envelopes are taken into.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly lanes: Lanes
  readonly admission: Admission
  readonly book: Book
  readonly facts: StreamFacts
  readonly ordered: boolean
  /** Milliseconds. */
  readonly linger: number
  /** Something came in. */
  readonly onIn: () => void
}

/** Envelopes that are taken in before others get a turn: a full request. */
const step = RecordLimits.requestRecords

/** What a call waits for: room, word of the stream's record limit, or its next turn. */
type Reached = { readonly room: number } | "limit" | "turn"

/**
 * The way in.
 *
 * @category models
 * @since 0.1.0
 */
export class Intake {
  readonly #options: Options
  /** Since when something waits that came in, and how much: what `linger` holds back. */
  #fresh = none

  constructor(options: Options) {
    this.#options = options
  }

  /** Milliseconds that what came in may still wait for company. */
  lingers(now: number): number {
    const { bytes, records, since } = this.#fresh
    const full = records >= RecordLimits.requestRecords || bytes >= RecordLimits.requestBytes
    return since === Infinity || full ? 0 : Math.max(0, since + this.#options.linger - now)
  }

  /** What came in goes with the next request. */
  taken(): void {
    this.#fresh = none
  }

  /** Takes in all of a call, in its turn and as room comes up. */
  admit(call: Call, source: Source): Effect.Effect<void> {
    const { admission, book, facts, onIn } = this.#options
    return Effect.gen({ self: this }, function* () {
      let held: Encoded | undefined
      const keep = (encoded: Encoded | undefined) => void (held = encoded)
      admission.enter(call)
      yield* admission.wait(call, 0)
      while (call.next < source.count) {
        const reached = this.#fill(call, source, held, keep, yield* Clock.currentTimeMillis)
        onIn()
        // The stream may be long in answering; a call that is over must not wait for it.
        if (reached === "limit") yield* Effect.raceFirst(facts.describe, Deferred.await(call.done))
        else if (reached !== "turn") yield* admission.wait(call, reached.room)
        else if (call.next < source.count) yield* Effect.yieldNow
      }
      admission.leave(call)
      book.tell()
      call.finish()
    })
  }

  /** Takes in a step's worth. What is encoded and finds no room is kept for the next time. */
  #fill(
    call: Call,
    source: Source,
    held: Encoded | undefined,
    keep: (encoded: Encoded | undefined) => void,
    now: number
  ): Reached {
    const { admission, book, facts, ordered } = this.#options
    let kept = held
    keep(undefined)
    for (let count = 0; count < step && call.next < source.count; count++) {
      const encoded = kept ?? source.encode(call.next, facts.maxRecordBytes())
      kept = undefined
      const key = source.keyOf(call.next)
      if (ordered && key !== undefined && call.isBehind(key)) {
        book.behind(call, call.next++)
      } else if ("error" in encoded) {
        if (encoded.error.reason === "TooLarge" && facts.mayBeRaised(now)) return "limit"
        book.refuse(call, call.next++, encoded.partitionKey, encoded.error)
      } else if (admission.isOpen(call, encoded.size)) {
        this.#offer(call, encoded, now)
      } else {
        keep(encoded)
        return { room: encoded.size }
      }
    }
    return "turn"
  }

  #offer(call: Call, { entry, size }: Extract<Encoded, { readonly size: number }>, now: number): void {
    this.#options.admission.hold(size)
    this.#options.lanes.offer(
      { ...entry, call, index: call.next++, size, tries: 0, notBefore: 0, fault: undefined },
      now
    )
    const { bytes, records, since } = this.#fresh
    this.#fresh = { since: Math.min(since, now), records: records + 1, bytes: bytes + size }
  }
}

const none = { since: Infinity, records: 0, bytes: 0 }
