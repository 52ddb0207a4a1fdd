import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"

import type * as Event from "../../Event.ts"
import * as FailurePolicy from "../../FailurePolicy.ts"
import * as Outcome from "../../Outcome.ts"
import * as RetryPolicy from "../../RetryPolicy.ts"
import type { BatchRun, Step, Work } from "./BatchRun.ts"
import { bury } from "./bury.ts"
import { describe } from "./describe.ts"
import { drive, isSuccess } from "./drive.ts"

/** Milliseconds the gathered writes of a batch may take; they are effects that may be lost. */
const flushBound = 250

/** Runs every delivery that is neither known nor parked, lanes in order, and flushes what `prepare` gathered. */
export const handle = Effect.fnUntraced(function* (run: BatchRun) {
  const live = run.environment.journal.durable
    ? run.works.filter((work) => run.outcomes[work.index] === undefined)
    : run.works
  if (live.length === 0) return
  const scope = Scope.makeUnsafe()
  const context = yield* prepare(run, live, scope)
  if (context !== undefined) {
    const pending = eagerPass(run, live, context)
    if (run.undecodable > 0)
      yield* bury(
        run,
        live.filter((work) => work.undecodable !== undefined && run.outcomes[work.index] === undefined)
      )
    if (pending.length > 0) yield* lanes(run, pending, context)
  }
  yield* flush(run, scope)
  settleLeftovers(run, live)
})

/** The context of this batch; `undefined` when the time ran out before anything could start. */
const prepare = (
  run: BatchRun,
  live: ReadonlyArray<Work>,
  scope: Scope.Closeable
): Effect.Effect<Context.Context<never> | undefined> => {
  const { context } = run.environment
  if (run.definition.prepare === undefined) return Effect.succeed(context)
  const items =
    run.undecodable === 0 && !run.environment.journal.durable
      ? live
      : live.filter((work) => work.undecodable === undefined && !work.lane.parked)
  if (items.length === 0) return Effect.succeed(context)
  const prepared = run.definition.prepare(items).pipe(
    Effect.provideContext(Context.add(context, Scope.Scope, scope)),
    Effect.map((services) => Context.merge(context, services)),
    // What `prepare` couldn't fetch, handlers fetch; only its defect is told.
    Effect.catchCause((cause) =>
      Effect.sync(() => {
        emit(run, { _tag: "PrepareFailed", worker: run.definition.name, reason: Cause.pretty(cause) })
        return context
      })
    )
  )
  return Effect.map(untilStartBy(run, prepared), Option.getOrUndefined)
}

const untilStartBy = <A, E, R>(run: BatchRun, self: Effect.Effect<A, E, R>): Effect.Effect<Option.Option<A>, E, R> => {
  const { clock, startBy } = run.environment
  return startBy === Infinity
    ? Effect.map(self, Option.some)
    : within(self, clock.sleep(Duration.millis(Math.max(0, startBy - clock.currentTimeMillisUnsafe()))))
}

/**
 * `Effect.timeoutOption` for the good path: what is done before it waits arms no timer, and no more is raced than a fiber and
 * its alarm. It saves 5 µs a batch. Like the original, it gives none only when `self` has been interrupted.
 */
const within = <A, E, R>(self: Effect.Effect<A, E, R>, alarm: Effect.Effect<void>) =>
  Effect.contextWith((context: Context.Context<R>) =>
    Effect.callback<Option.Option<A>, E>((resume) => {
      let expired = false
      const fiber = Effect.runForkWith(context)(self)
      const ringing = fiber.pollUnsafe() === undefined ? Effect.runForkWith(context)(alarm) : undefined
      fiber.addObserver((exit) => {
        ringing?.interruptUnsafe()
        resume(expired && Exit.isFailure(exit) ? Effect.succeedNone : Exit.map(exit, Option.some))
      })
      ringing?.addObserver((exit) => {
        if (Exit.isFailure(exit)) return
        expired = true
        fiber.interruptUnsafe()
      })
      return Effect.suspend(() => {
        ringing?.interruptUnsafe()
        return Fiber.interrupt(fiber)
      })
    })
  )

/** A lane whose first runnable work needs a fiber; `begun` is that work, already called. */
interface Pending {
  readonly work: Work
  readonly begun: Step
  readonly rest: Array<Work>
}

/** Handles in arrival order what needs no fiber; a lane that needs one waits with all that follows on it. */
const eagerPass = (
  run: BatchRun,
  live: ReadonlyArray<Work>,
  context: Context.Context<never>
): ReadonlyArray<Pending> => {
  const pending: Array<Pending> = []
  let late = false
  let asked = 0
  for (const work of live) {
    if (work.lane.waiting !== undefined) {
      work.lane.waiting.push(work)
      continue
    }
    // Reading the clock costs a tenth of a handler that needs no fiber, and eight of those are over in microseconds.
    if (asked++ % 8 === 0) late = run.outOfTime()
    if (!mayStart(run, work, late)) continue
    const begun: Step = run.environment.perRecord === undefined ? call(work, context) : later(run, work, context)
    if (isSuccess(begun)) {
      run.settle(work, Outcome.handled(reply(begun.value)))
      continue
    }
    if (Exit.isExit(begun) && !mayRetry(run, work, begun) && conclude(run, work, begun)) continue
    work.lane.waiting = []
    pending.push({ work, begun, rest: work.lane.waiting })
  }
  // One reading for all that was handled in this turn; what waits is stamped when it is concluded.
  run.latencies.fill(run.elapsed())
  return pending
}

/** Whether a work's turn has come; where it hasn't, its outcome is written down. */
const mayStart = (run: BatchRun, work: Work, late = run.outOfTime()): boolean => {
  const { lane } = work
  if (lane.blocked) run.outcomes[work.index] = Outcome.unstarted
  else if (isTwin(work)) run.outcomes[work.index] = Outcome.duplicate
  else if (lane.parked) run.settle(work, Outcome.parked("waits behind a parked event of its key"))
  else if (work.undecodable !== undefined) return settleUndecodable(run, work, work.undecodable.message)
  else if (late) run.block(work, Outcome.unstarted)
  else return true
  return false
}

/** A producer's duplicate inside one batch. The first was settled, or the lane would be blocked. */
const isTwin = (work: Work): boolean => {
  const { lane } = work
  if (lane.works.length === 1) return false
  lane.ids ??= new Set()
  const name = `${work.tag}\0${work.id}`
  if (lane.ids.has(name)) return true
  lane.ids.add(name)
  return false
}

/** With a journal it parks with its bytes; without one it waits for the dead-letter sink or is reported failed. */
const settleUndecodable = (run: BatchRun, work: Work, reason: string): false => {
  const { failure, journal, sink } = run.environment
  if (failure.permanent === "skip") run.settle(work, Outcome.skipped(reason))
  else if (journal.durable) run.settle(work, Outcome.parked(reason))
  else if (sink === undefined)
    run.block(work, Outcome.failed(Cause.fail(work.undecodable), work.undecodable?.reason === "NewerVersion"))
  return false
}

const call = (work: Work, context: Context.Context<never>): Step => {
  work.tried += 1
  if (work.known === undefined) return Exit.die(`no handler for ${work.tag}`)
  try {
    const body = work.known.handler(work.payload, work)
    return isIterator(body) ? drive(body, context) : body
  } catch (defect) {
    return Exit.die(defect)
  }
}

/** Calls the handler when its fiber runs; in a context of the record's own, where a replay asks for one. */
const later = (run: BatchRun, work: Work, context: Context.Context<never>): Step => {
  const { perRecord } = run.environment
  if (perRecord === undefined) return Effect.suspend(() => call(work, context))
  return Effect.suspend(() => {
    const own = Context.merge(context, perRecord(work.delivery))
    return Effect.provideContext(call(work, own), own)
  })
}

const isIterator = (body: Step | Iterator<unknown, unknown>): body is Iterator<unknown, unknown> =>
  "next" in body && typeof body.next === "function"

const lanes = (
  run: BatchRun,
  pending: ReadonlyArray<Pending>,
  context: Context.Context<never>
): Effect.Effect<void> => {
  const all = Effect.forEach(pending, (lane) => runLane(run, lane, context), {
    concurrency: run.definition.concurrency,
    discard: true
  }).pipe(Effect.provideContext(context))
  return Effect.asVoid(untilStartBy(run, all))
}

const runLane = (run: BatchRun, lane: Pending, context: Context.Context<never>): Effect.Effect<void> =>
  lane.rest.length === 0 && run.environment.retry.attempts <= 1
    ? Effect.flatMap(Effect.exit(lane.begun), (exit) => stampAndConclude(run, lane.work, exit))
    : runWorks(run, lane, context)

const runWorks = Effect.fnUntraced(function* (run: BatchRun, lane: Pending, context: Context.Context<never>) {
  yield* runWork(run, lane.work, lane.begun, context)
  for (const work of lane.rest) {
    if (mayStart(run, work)) yield* runWork(run, work, later(run, work, context), context)
    else if (work.undecodable !== undefined && run.outcomes[work.index] === undefined) yield* bury(run, [work])
  }
})

const runWork = Effect.fnUntraced(function* (run: BatchRun, work: Work, begun: Step, context: Context.Context<never>) {
  let exit = yield* Effect.exit(begun)
  const holdUntil = run.elapsed() + run.environment.failure.maxHold
  while (mayRetry(run, work, exit) && run.elapsed() < holdUntil) {
    if (!(yield* RetryPolicy.pause(run.environment.retry, work.tried))) break
    emit(run, { _tag: "HandlerRetried", worker: run.definition.name, delivery: work.delivery, attempt: work.tried + 1 })
    // The thunk again, never the same effect: an eager call has already run.
    exit = yield* Effect.exit(later(run, work, context))
  }
  yield* stampAndConclude(run, work, exit)
})

const stampAndConclude = (run: BatchRun, work: Work, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> => {
  run.latencies[work.index] = run.elapsed()
  return conclude(run, work, exit) ? Exit.void : bury(run, [work])
}

const mayRetry = (run: BatchRun, work: Work, exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && work.tried < run.environment.retry.attempts && isTransient(exit.cause)

/** A defect is a bug and stays one; an interruption says nothing against the event. */
const isTransient = (cause: Cause.Cause<unknown>): boolean =>
  !Cause.hasDies(cause) && (Cause.hasInterruptsOnly(cause) || RetryPolicy.isRetryable(Cause.squash(cause)))

/** Writes down what became of a work; `false` when the dead-letter sink must be asked first. */
const conclude = (run: BatchRun, work: Work, exit: Exit.Exit<unknown, unknown>): boolean => {
  if (Exit.isSuccess(exit)) {
    run.settle(work, Outcome.handled(reply(exit.value)))
    return true
  }
  const { failure, journal, sink } = run.environment
  const retryable = isTransient(exit.cause)
  const action = FailurePolicy.decide(failure, retryable, work.attempt)
  if (action === "skip") run.settle(work, Outcome.skipped(describe(exit.cause)))
  else if (action === "park" && journal.durable) run.settle(work, Outcome.parked(describe(exit.cause)))
  else {
    run.block(work, Outcome.failed(exit.cause, retryable))
    return action === "halt" || sink === undefined
  }
  return true
}

const reply = (value: unknown): ReadonlyArray<Event.Emitted> =>
  value === undefined ? nothing : Array.isArray(value) ? value : [value as Event.Emitted]

const nothing: ReadonlyArray<Event.Emitted> = []

/** Closes the scope of `prepare`: gathered writes go out before the commit, bounded; a failure is only counted. */
const flush = (run: BatchRun, scope: Scope.Closeable): Effect.Effect<void> => {
  // Nothing was gathered: nothing that could take time, so no timer, which is dearer than all the rest of a flush.
  if (scope.state._tag === "Empty") return Scope.close(scope, Exit.void)
  const failed = (reason: string) =>
    Effect.sync(() => emit(run, { _tag: "FlushFailed", worker: run.definition.name, reason }))
  return Scope.close(scope, Exit.void).pipe(
    Effect.timeoutOption(flushBound),
    Effect.flatMap(
      Option.match({ onNone: () => failed(`not done after ${flushBound} ms`), onSome: () => Effect.void })
    ),
    Effect.catchCause((cause) => failed(Cause.pretty(cause)))
  )
}

/** What the deadline cut off: begun is failed and may be tried again, the rest was never started. */
const settleLeftovers = (run: BatchRun, live: ReadonlyArray<Work>): void => {
  for (const work of live) {
    if (run.outcomes[work.index] !== undefined) continue
    run.latencies[work.index] = run.elapsed()
    run.block(work, work.tried > 0 ? cutOff : Outcome.unstarted)
  }
}

const cutOff = Outcome.failed(
  Cause.fail({ _tag: "DeadlineExceeded", message: "the deadline passed", retryable: true }),
  true
)

const emit = (run: BatchRun, event: Parameters<(typeof run.environment.readers)[number]["onEvent"]>[0]): void => {
  for (const reader of run.environment.readers) reader.onEvent(event)
}
