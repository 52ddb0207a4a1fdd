/**
 * Sends what concurrent calls of `publish` hand in, in shared requests.
 *
 * **Details.** One fiber looks what may go, as long as fewer than `concurrency` requests are in flight, and starts a fiber
 * for each request. It sleeps until something comes in, is answered, or may be tried again. What it decides with is in
 * modules without clock or calls ({@link "./Lanes.ts"}, {@link "./Book.ts"}).
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"

import type * as KinesisClient from "../KinesisClient.ts"
import { Admission } from "./Admission.ts"
import type * as Admissions from "./Admission.ts"
import * as Books from "./Book.ts"
import type { Call } from "./Call.ts"
import * as Group from "./Group.ts"
import { Intake } from "./Intake.ts"
import type { Source } from "./Intake.ts"
import { Lanes } from "./Lanes.ts"
import type * as Lane from "./Lanes.ts"
import type { PublisherEvent } from "./PublisherEvent.ts"
import * as Put from "./Put.ts"
import type * as StreamFacts from "./StreamFacts.ts"
import type * as Verdict from "./Verdict.ts"

/**
 * How to send.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Lane.Options {
  readonly stream: string
  readonly policy: Verdict.Policy
  readonly buffer: Admissions.Bounds
  /** Requests in flight. */
  readonly concurrency: number
  /** Milliseconds. */
  readonly linger: number
  readonly shutdownTimeout: number
  readonly onEvent: (event: PublisherEvent) => void
}

/**
 * A sender at work.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sender {
  /** Sees to it that each envelope of a call is answered by its time. */
  readonly run: (call: Call, source: Source) => Effect.Effect<void>
  readonly facts: StreamFacts.StreamFacts
}

/**
 * Starts a sender. When the scope closes it takes nothing more, and what it has is sent or, after `shutdownTimeout`, failed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  client: KinesisClient.KinesisClient["Service"],
  factsOf: (lanes: Lanes) => StreamFacts.StreamFacts,
  options: Options
) {
  const inner = yield* Scope.make()
  const driver = new Driver(client, factsOf, options, inner, yield* Random.Random)
  yield* Effect.addFinalizer((exit) => Effect.andThen(driver.flush, Scope.close(inner, exit)))
  yield* Effect.forkIn(driver.drive, inner)
  return driver satisfies Sender
})

class Driver implements Sender {
  readonly facts: StreamFacts.StreamFacts
  readonly #client: KinesisClient.KinesisClient["Service"]
  readonly #options: Options
  readonly #inner: Scope.Scope
  readonly #random: { readonly nextDoubleUnsafe: () => number }
  readonly #lanes: Lanes
  readonly #admission: Admission
  readonly #book: Books.Book
  readonly #intake: Intake
  readonly #wake = Latch.makeUnsafe()
  readonly #calls = new Map<Call, Source>()
  readonly #idle = Deferred.makeUnsafe<void>()
  #closed = false
  /** Something was answered: what that sets free goes on at once. */
  #answered = false

  constructor(
    client: KinesisClient.KinesisClient["Service"],
    factsOf: (lanes: Lanes) => StreamFacts.StreamFacts,
    options: Options,
    inner: Scope.Scope,
    random: { readonly nextDoubleUnsafe: () => number }
  ) {
    const ordered = options.mode === "ordered"
    const lanes = new Lanes(options)
    const facts = factsOf(lanes)
    const admission = new Admission(options.buffer)
    const { onEvent, policy } = options
    const { misjudged: onInvalid, misrouted: onMisrouted } = facts
    const book = new Books.Book({ lanes, admission, ordered, policy, onMisrouted, onInvalid, onEvent })
    const onIn = () => void this.#wake.openUnsafe()
    this.#client = client
    this.#options = options
    this.#inner = inner
    this.#random = random
    this.#lanes = lanes
    this.facts = facts
    this.#admission = admission
    this.#book = book
    this.#intake = new Intake({ lanes, admission, book, facts, ordered, linger: options.linger, onIn })
  }

  run(call: Call, source: Source): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#calls.set(call, source)
      return this.#closed ? this.#close(call, "the publisher is closed", true) : this.#work(call, source)
    }).pipe(
      // An envelope must not be sent any more when its caller has been answered or is gone.
      Effect.onExit(() => this.#close(call, noAnswer, true)),
      Effect.ensuring(Effect.sync(() => this.#forget(call)))
    )
  }

  /** Sends for ever. Should it end, calls would wait for ever: they fail, and later ones too. */
  get drive(): Effect.Effect<void> {
    return Effect.forever(
      Effect.suspend(() => this.#turn()),
      { disableYield: true }
    ).pipe(
      Effect.onError((cause) => {
        if (Cause.hasInterruptsOnly(cause)) return Effect.void
        this.#closed = true
        return Effect.andThen(Effect.logFatal("the publisher stopped", cause), this.#giveUp("the publisher stopped"))
      })
    )
  }

  /** Waits until all calls are answered; after `shutdownTimeout` they are, one way or the other. */
  get flush(): Effect.Effect<void> {
    const { shutdownTimeout } = this.#options
    const tooLate = `the publisher was closed, and not accepted within ${shutdownTimeout} ms`
    return Effect.suspend(() => {
      this.#closed = true
      if (this.#calls.size === 0) return Effect.void
      return Effect.sleep(shutdownTimeout).pipe(
        Effect.andThen(this.#giveUp(tooLate)),
        Effect.forkIn(this.#inner),
        Effect.andThen(Deferred.await(this.#idle))
      )
    })
  }

  #turn(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (const lesson of this.facts.due(yield* Clock.currentTimeMillis)) {
        const learnt = Effect.sync(() => this.#wake.openUnsafe())
        yield* Effect.forkIn(Effect.ensuring(lesson, learnt), this.#inner)
      }
      // Who hands in something in this turn of the event loop comes along.
      yield* Effect.yieldNow
      this.#wake.closeUnsafe()
      const now = yield* Clock.currentTimeMillis
      const lingers = this.#answered ? 0 : this.#intake.lingers(now)
      const wait = lingers > 0 ? lingers : yield* this.#send(now)
      const { await: woken } = this.#wake
      yield* wait === Infinity ? woken : Effect.timeoutOption(woken, Math.max(1, Math.ceil(wait)))
    })
  }

  /** Starts all requests that may go; gives the milliseconds until more may. */
  #send(now: number): Effect.Effect<number> {
    return Effect.gen({ self: this }, function* () {
      this.#answered = false
      this.#intake.taken()
      while (this.#book.requests.size < this.#options.concurrency) {
        const taken = this.#lanes.take(now)
        if (taken.flying.length > 0) yield* this.#start(taken, now)
        if (taken.wait > 0 || taken.flying.length === 0) return taken.wait
      }
      return Infinity
    })
  }

  #start({ bytes, flying }: Lane.Taken, now: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { onEvent, stream } = this.#options
      const request: Books.Request = { flying, sentAt: now, abort: () => {} }
      const { requests } = this.#book
      requests.add(request)
      const envelopes = flying.reduce((sum, { members }) => sum + members.length, 0)
      onEvent({ _tag: "Sent", records: flying.length, envelopes, bytes, inFlight: requests.size })
      const isWanted = (index: number): boolean => !Books.isForNobody(flying[index])
      return Effect.suspend(() => Put.records(this.#client, stream, flying.map(Group.toEntry), isWanted)).pipe(
        Effect.onExit((exit) => this.#answer(request, exit)),
        Effect.forkIn(this.#inner, { startImmediately: true }),
        Effect.map((fiber) => void (request.abort = () => fiber.interruptUnsafe()))
      )
    })
  }

  #answer(request: Books.Request, exit: Exit.Exit<ReadonlyArray<Put.Result>>): Effect.Effect<void> {
    return Effect.map(Clock.currentTimeMillis, (now) => {
      this.#answered = true
      if (Exit.isSuccess(exit)) this.#book.settle(request, exit.value, now, this.#random.nextDoubleUnsafe())
      else if (Exit.hasInterrupts(exit)) this.#book.settle(request, [], now, 0)
      else this.#book.die(request, Exit.failCause(exit.cause), now)
      this.#wake.openUnsafe()
    })
  }

  #work(call: Call, source: Source): Effect.Effect<void> {
    const answered = Deferred.await(call.done)
    const whole = Effect.andThen(this.#intake.admit(call, source), answered)
    if (call.expires === call.until) return before(call.until)(whole)
    return before(call.expires)(whole).pipe(
      Effect.andThen(this.#close(call, "not accepted within `maxAge`", false)),
      Effect.andThen(before(call.until)(answered))
    )
  }

  #close(call: Call, why: string, inFlight: boolean): Effect.Effect<void> {
    return Effect.suspend(() => {
      const source = this.#calls.get(call)
      if (source === undefined || call.isDone) return Effect.void
      return Effect.map(Clock.currentTimeMillis, (now) => {
        this.#book.close(call, source, { why, inFlight }, now)
        this.#wake.openUnsafe()
      })
    })
  }

  #giveUp(why: string): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.forEach([...this.#calls.keys()], (call) => this.#close(call, why, true), { discard: true })
    )
  }

  #forget(call: Call): void {
    this.#admission.leave(call)
    this.#calls.delete(call)
    if (this.#closed && this.#calls.size === 0) Deferred.doneUnsafe(this.#idle, Effect.void)
  }
}

const noAnswer = "no answer before the deadline"

/**
 * Stops what is not done by a time in epoch milliseconds; without a time (`Infinity`) there is no timer.
 *
 * @category combinators
 * @since 0.1.0
 */
export const before =
  (at: number) =>
  (self: Effect.Effect<void>): Effect.Effect<void> =>
    at === Infinity
      ? self
      : Effect.flatMap(Clock.currentTimeMillis, (now) =>
          Effect.asVoid(Effect.timeoutOption(self, Math.max(0, at - now)))
        )
