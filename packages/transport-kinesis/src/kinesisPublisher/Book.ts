/**
 * Keeps the books of a publisher: which call each envelope belongs to, what became of it, and what it frees.
 *
 * **Guarantees.** Each envelope is answered once. An envelope that fails for good lets the later ones of its key in its
 * call fail as `Behind` where order is kept, before any of them is sent; calls don't fail for one another.
 *
 * @since 0.1.0
 */
import type { PublishError } from "@leat/core/Publisher"
import * as Exit from "effect/Exit"

import type { Admission } from "./Admission.ts"
import type { Call } from "./Call.ts"
import type { Waiting } from "./Group.ts"
import type { Flying, Lanes } from "./Lanes.ts"
import type { FailedReason, PublisherEvent } from "./PublisherEvent.ts"
import type { Result } from "./Put.ts"
import * as RecordLimits from "./RecordLimits.ts"
import * as Verdict from "./Verdict.ts"

/**
 * A request on its way.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request {
  readonly flying: ReadonlyArray<Flying>
  readonly sentAt: number
  /** Stops it. */
  abort: () => void
}

/**
 * What the books are kept with.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly lanes: Lanes
  readonly admission: Admission
  readonly ordered: boolean
  readonly policy: Verdict.Policy
  readonly onMisrouted: () => void
  /** The stream takes no record as large as one that was sent. */
  readonly onInvalid: () => void
  readonly onEvent: (event: PublisherEvent) => void
}

/**
 * The books.
 *
 * @category models
 * @since 0.1.0
 */
export class Book {
  readonly requests = new Set<Request>()
  readonly #options: Options
  readonly #failed = new Map<FailedReason, number>()
  /** Calls whose envelopes got answers since the last time that they were told. */
  readonly #answered = new Set<Call>()

  constructor(options: Options) {
    this.#options = options
  }

  /** Enters the results of a request, the one at `i` that of `flying[i]`. `random`: between 0 and 1. */
  settle(request: Request, results: ReadonlyArray<Result>, now: number, random: number): void {
    const { lanes, ordered } = this.#options
    this.requests.delete(request)
    const throttled = new Set<string>()
    let accepted = 0
    let retried = 0
    let freed = 0
    let bytes = 0
    let envelopes = 0
    for (const [index, flying] of request.flying.entries()) {
      const result = results[index] ?? Verdict.stopped
      const again = "shardId" in result ? this.#accept(flying, result) : this.#retry(flying, result, now, random)
      if ("shardId" in result) accepted += flying.members.length
      else if (result.reason === "Throttled") throttled.add(flying.shard)
      else if (result.reason === "Invalid" && flying.size > RecordLimits.leastRecordBytes) this.#options.onInvalid()
      retried += again.length
      envelopes += flying.members.length
      freed += flying.members.length - again.length
      for (const { size } of flying.members) bytes += size
      for (const { size } of again) bytes -= size
      if (ordered && again.length < flying.members.length && !("shardId" in result)) this.#holdBack(flying, now)
      lanes.settle(flying, again, now)
    }
    this.#options.admission.free(freed, bytes)
    this.#slowDown(throttled, now)
    const inFlight = this.requests.size
    const failed = envelopes - accepted - retried
    this.#options.onEvent({ _tag: "Answered", accepted, retried, failed, duration: now - request.sentAt, inFlight })
    this.tell()
  }

  /** Answers all of a request with a defect. */
  die(request: Request, answer: Exit.Exit<never>, now: number): void {
    this.requests.delete(request)
    let failed = 0
    for (const flying of request.flying) {
      failed += flying.members.length
      for (const member of flying.members) this.#die(member, answer)
      this.#holdBack(flying, now)
      this.#options.lanes.settle(flying, [], now)
      this.#free(flying.members)
    }
    const inFlight = this.requests.size
    const duration = now - request.sentAt
    this.#options.onEvent({ _tag: "Answered", accepted: 0, retried: 0, failed, duration, inFlight })
    this.tell()
  }

  #die({ call, index, partitionKey }: Waiting, answer: Exit.Exit<never>): void {
    if (call.isAnswered(index)) return
    call.fail(index, answer, this.#laneOf(partitionKey))
    this.#answered.add(call)
    this.#note("Defect")
  }

  /** Fails an envelope that was not admitted. */
  refuse(call: Call, index: number, partitionKey: string | undefined, error: PublishError): void {
    call.fail(index, Exit.fail(error), partitionKey === undefined ? undefined : this.#laneOf(partitionKey))
    this.#answered.add(call)
    this.#note(error.reason)
  }

  /** Fails an envelope behind another. */
  behind(call: Call, index: number): void {
    call.behind(index)
    this.#answered.add(call)
    this.#note("Behind")
  }

  /**
   * Ends a call: what waits of it fails, and what was never admitted. `inFlight`: what is in flight too, and a request
   * that carries nobody else's envelopes is stopped.
   */
  close(
    call: Call,
    envelopes: { readonly count: number; readonly keyOf: (index: number) => string | undefined },
    options: { readonly why: string; readonly inFlight: boolean },
    now: number
  ): void {
    const dropped = this.#options.lanes.drop((waiting) => waiting.call === call, now)
    this.#free(dropped)
    const last = new Map(dropped.map((waiting) => [waiting.index, waiting.fault]))
    const inFlight = this.#inFlight(call)
    call.next = envelopes.count
    for (let index = 0; index < envelopes.count; index++) {
      const isSent = inFlight.has(index)
      if (call.isAnswered(index) || (isSent && !options.inFlight)) continue
      const key = envelopes.keyOf(index)
      // What was sent is behind nobody, though a later one of its key may have grown too old before it.
      if (this.#options.ordered && !isSent && key !== undefined && call.isBehind(key)) this.behind(call, index)
      else this.refuse(call, index, key, Verdict.late(options.why, last.get(index)))
    }
    this.#options.admission.look(call)
    // What is in flight may keep the call for long; at the door it has no more to do.
    this.#options.admission.leave(call)
    for (const request of this.requests) if (request.flying.every(isForNobody)) request.abort()
    this.tell()
  }

  /** Tells what failed since the last time, and the callers that all is answered. */
  tell(): void {
    for (const [reason, envelopes] of this.#failed) this.#options.onEvent({ _tag: "Failed", reason, envelopes })
    this.#failed.clear()
    const answered = [...this.#answered]
    this.#answered.clear()
    for (const call of answered) call.finish()
  }

  #accept(flying: Flying, { shardId }: { readonly shardId: string }): ReadonlyArray<Waiting> {
    for (const { call, index } of flying.members) {
      call.accept(index)
      this.#answered.add(call)
    }
    if (flying.shard !== "" && shardId !== flying.shard) {
      this.#options.onMisrouted()
      this.#options.onEvent({ _tag: "Misrouted", expected: flying.shard, shardId })
    }
    return none
  }

  /** What is tried again. First all verdicts, then the answers: of one record all members that fail have its error. */
  #retry({ members }: Flying, fault: Verdict.Fault, now: number, random: number): ReadonlyArray<Waiting> {
    const open = members.filter(({ call, index }) => !call.isAnswered(index))
    const times = open.map(({ call: { expires }, tries }) =>
      Verdict.again(fault, tries + 1, this.#options.policy, { now, until: expires, random })
    )
    for (const [place, { call, index, partitionKey }] of open.entries()) {
      if (times[place] === undefined) this.refuse(call, index, partitionKey, Verdict.toError(fault))
    }
    const again: Array<Waiting> = []
    for (const [place, waiting] of open.entries()) {
      const notBefore = times[place]
      if (notBefore === undefined) continue
      const { call, index, partitionKey } = waiting
      if (this.#options.ordered && call.isBehind(partitionKey)) this.behind(call, index)
      else again.push({ ...waiting, tries: waiting.tries + 1, notBefore, fault })
    }
    return again
  }

  /** What waits behind an envelope that failed: of its call, of its key. */
  #holdBack({ lane, members }: Flying, now: number): void {
    if (!this.#options.ordered || typeof lane.id !== "string") return
    const key = lane.id
    const calls = new Set(members.map(({ call }) => call).filter((call) => call.isBehind(key)))
    if (calls.size === 0) return
    const dropped = this.#options.lanes.drop(({ call }) => calls.has(call), now, key)
    this.#free(dropped)
    for (const { call, index } of dropped) this.behind(call, index)
  }

  #slowDown(shards: ReadonlySet<string>, now: number): void {
    for (const shardId of shards) {
      const share = this.#options.lanes.throttled(shardId, now)
      if (share !== undefined) this.#options.onEvent({ _tag: "Throttled", shardId, share })
    }
  }

  #inFlight(call: Call): ReadonlySet<number> {
    const indexes = new Set<number>()
    for (const { flying } of this.requests)
      for (const { members } of flying) for (const one of members) if (one.call === call) indexes.add(one.index)
    return indexes
  }

  #laneOf(partitionKey: string): string | undefined {
    return this.#options.ordered ? partitionKey : undefined
  }

  #free(waiting: ReadonlyArray<Waiting>): void {
    if (waiting.length === 0) return
    this.#options.admission.free(
      waiting.length,
      waiting.reduce((sum, { size }) => sum + size, 0)
    )
  }

  #note(reason: FailedReason): void {
    this.#failed.set(reason, (this.#failed.get(reason) ?? 0) + 1)
  }
}

const none: ReadonlyArray<Waiting> = []

/**
 * Whether all who have a part in a record have been answered.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isForNobody = (flying: Flying | undefined): boolean =>
  flying?.members.every(({ call, index }) => call.isAnswered(index)) ?? true
