import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"

import type * as Event from "../../Event.ts"
import * as FailurePolicy from "../../FailurePolicy.ts"
import { Fetching } from "../../Fetching.ts"
import * as Outcome from "../../Outcome.ts"
import * as RetryPolicy from "../../RetryPolicy.ts"
import type { BatchRun, Running, Work } from "./BatchRun.ts"
import { bury } from "./bury.ts"
import { describe, oneLine, parkedFor } from "./describe.ts"
import { drive, isSuccess } from "./drive.ts"
import { flush, prepare } from "./prepare.ts"
import { toEnvelope } from "./publish.ts"

/** Runs every delivery that is neither known nor parked, lanes in order, and flushes what `prepare` gathered. */
export const handle = Effect.fnUntraced(function* (run: BatchRun) {
  const live = run.environment.journal.durable
    ? run.works.filter((work) => run.outcomes[work.index] === undefined)
    : run.works
  if (live.length === 0) return
  const scope = Scope.makeUnsafe()
  const context = yield* prepare(run, live, scope)
  if (context !== undefined) yield* handleWaves(run, live, context)
  yield* flush(run, scope)
  settleLeftovers(run, live)
})

/** What has its data is handled at once; what `prepare` is still fetching for follows, together, when that is there. */
const handleWaves = Effect.fnUntraced(function* (
  run: BatchRun,
  live: ReadonlyArray<Work>,
  context: Context.Context<never>
) {
  const until = Context.get(context, Fetching)?.until
  const [now, afterwards] = until === undefined ? [live, none] : waves(live)
  const pending = yield* wave(run, now, context)
  if (pending.length === 0 && until === undefined) return
  const first = lanes(run, pending, context)
  const second = Effect.flatMap(Effect.andThen(until ?? Effect.void, wave(run, afterwards, context)), (later) =>
    lanes(run, later, context)
  )
  yield* run.untilStartBy(
    pending.length === 0 ? second : Effect.all([first, second], { concurrency: "unbounded", discard: true })
  )
})

/** Handles what needs no fiber, in one turn; gives what does. */
const wave = (
  run: BatchRun,
  works: ReadonlyArray<Work>,
  context: Context.Context<never>
): Effect.Effect<ReadonlyArray<Pending>> =>
  Effect.suspend(() => {
    const pending = eagerPass(run, works, context)
    if (run.undecodable === 0) return Exit.succeed(pending)
    return Effect.as(
      bury(
        run,
        works.filter((work) => isUnburied(run, work))
      ),
      pending
    )
  })

const none: ReadonlyArray<Work> = []

/** A work that waits for its data holds back what follows on its lane. */
const waves = (live: ReadonlyArray<Work>): readonly [ReadonlyArray<Work>, ReadonlyArray<Work>] => {
  const now: Array<Work> = []
  const afterwards: Array<Work> = []
  for (const work of live) {
    if (work.fetching) work.lane.fetching = true
    ;(work.lane.fetching ? afterwards : now).push(work)
  }
  return [now, afterwards]
}

const isUnburied = (run: BatchRun, work: Work): boolean =>
  work.undecodable !== undefined && run.outcomes[work.index] === undefined

/** A lane whose first runnable work needs a fiber; `begun` is that work, already called. */
interface Pending {
  readonly work: Work
  readonly begun: Running
  readonly rest: Array<Work>
}

/** Handles in arrival order what needs no fiber; a lane that needs one waits with all that follows on it. */
const eagerPass = (
  run: BatchRun,
  live: ReadonlyArray<Work>,
  context: Context.Context<never>
): ReadonlyArray<Pending> => {
  const pending: Array<Pending> = []
  for (const work of live) {
    if (work.lane.waiting !== undefined) {
      work.lane.waiting.push(work)
      continue
    }
    if (!mayStart(run, work)) continue
    const begun: Running = call(work, context)
    if (isSuccess(begun)) {
      succeed(run, work, begun.value)
      continue
    }
    if (Exit.isExit(begun) && !mayRetry(run, work, begun) && conclude(run, work, begun)) continue
    work.lane.waiting = []
    pending.push({ work, begun, rest: work.lane.waiting })
  }
  // One reading for all that was handled in this turn; what waits is stamped again when it is concluded.
  const elapsed = run.elapsed()
  for (const work of live) run.latencies[work.index] = elapsed
  return pending
}

/** Whether a work's turn has come; where it hasn't, its outcome is written down. */
const mayStart = (run: BatchRun, work: Work): boolean => {
  const { lane } = work
  if (lane.blocked) run.outcomes[work.index] = Outcome.unstarted
  else if (isTwin(work)) run.outcomes[work.index] = Outcome.duplicate
  else if (lane.parked) run.park(work, behind)
  else if (work.undecodable !== undefined) return settleUndecodable(run, work, work.undecodable.message)
  else if (run.outOfTime()) run.block(work, Outcome.unstarted)
  else return true
  return false
}

const behind = Outcome.parked("waits behind a parked event of its key")

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
  else if (journal.durable) run.park(work, Outcome.parked(oneLine(reason)))
  else if (sink === undefined)
    run.block(work, Outcome.failed(Cause.fail(work.undecodable), work.undecodable?.reason === "NewerVersion"))
  return false
}

/** Calls the handler, and drives it as far as it needs no fiber. */
export const call = (work: Work, context: Context.Context<never>): Running => {
  work.begin()
  if (work.known === undefined) return Exit.die(`no handler for ${work.tag}`)
  try {
    const body = work.known.handler(work.payload, work)
    return isIterator(body) ? drive(body, context) : body
  } catch (defect) {
    return Exit.die(defect)
  }
}

/** Calls the handler when its fiber runs. */
const later = (work: Work, context: Context.Context<never>): Running => Effect.suspend(() => call(work, context))

const isIterator = (body: Running | Iterator<unknown, unknown>): body is Iterator<unknown, unknown> =>
  "next" in body && typeof body.next === "function"

const lanes = (run: BatchRun, pending: ReadonlyArray<Pending>, context: Context.Context<never>): Effect.Effect<void> =>
  pending.length === 0
    ? Exit.void
    : Effect.forEach(pending, (lane) => runLane(run, lane, context), {
        concurrency: run.definition.concurrency,
        discard: true
      }).pipe(Effect.provideContext(context))

const runLane = (run: BatchRun, lane: Pending, context: Context.Context<never>): Effect.Effect<void> =>
  Effect.flatMap(runWork(run, lane.work, lane.begun, context), () => {
    if (lane.rest.length > 0) return runRest(run, lane, context)
    lane.work.lane.waiting = undefined
    return Exit.void
  })

/** `rest` grows while it is run: what comes late of this lane, comes behind. */
const runRest = Effect.fnUntraced(function* (run: BatchRun, lane: Pending, context: Context.Context<never>) {
  for (const work of lane.rest) {
    if (mayStart(run, work)) yield* runWork(run, work, later(work, context), context)
    else if (isUnburied(run, work)) yield* bury(run, [work])
  }
  lane.work.lane.waiting = undefined
})

const runWork = (run: BatchRun, work: Work, begun: Running, context: Context.Context<never>): Effect.Effect<void> =>
  Effect.flatMap(Effect.exit(begun), (exit) =>
    mayRetry(run, work, exit) ? retryWork(run, work, exit, context) : stampAndConclude(run, work, exit)
  )

const retryWork = Effect.fnUntraced(function* (
  run: BatchRun,
  work: Work,
  failed: Exit.Exit<unknown, unknown>,
  context: Context.Context<never>
) {
  let exit = failed
  const holdUntil = run.elapsed() + run.environment.failure.maxHold
  while (mayRetry(run, work, exit) && run.elapsed() < holdUntil) {
    if (!(yield* RetryPolicy.pause(run.environment.retry, work.tried))) break
    run.tell({ _tag: "HandlerRetried", worker: run.definition.name, delivery: work.delivery, attempt: work.tried + 1 })
    // The thunk again, never the same effect: an eager call has already run.
    exit = yield* Effect.exit(later(work, context))
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
export const conclude = (run: BatchRun, work: Work, exit: Exit.Exit<unknown, unknown>): boolean => {
  if (Exit.isSuccess(exit)) return succeed(run, work, exit.value)
  const { failure, journal, sink } = run.environment
  const retryable = isTransient(exit.cause)
  const action = FailurePolicy.decide(failure, retryable, work.attempt)
  if (action === "skip") run.settle(work, Outcome.skipped(describe(exit.cause)))
  else if (action === "park" && journal.durable) run.park(work, parkedFor(exit.cause))
  else {
    run.block(work, Outcome.failed(exit.cause, retryable))
    return action === "halt" || sink === undefined
  }
  return true
}

/**
 * What a handler returned is encoded at once where it will be written: a payload that breaks its own schema is the handler's
 * bug, and nothing that follows on its key may run before that is known.
 */
const succeed = (run: BatchRun, work: Work, value: unknown): boolean => {
  const emitted = reply(value)
  if (emitted.length > 0 && run.environment.journal.durable) {
    try {
      work.emitted = emitted.map((event, index) => toEnvelope(work, event, index))
    } catch (defect) {
      return conclude(run, work, Exit.die(defect))
    }
  }
  run.settle(work, Outcome.handled(emitted))
  return true
}

const reply = (value: unknown): ReadonlyArray<Event.Emitted> =>
  value === undefined ? nothing : Array.isArray(value) ? value : [value as Event.Emitted]

const nothing: ReadonlyArray<Event.Emitted> = []

/** What the deadline cut off: begun is failed and may be tried again, the rest was never started. */
const settleLeftovers = (run: BatchRun, live: ReadonlyArray<Work>): void => {
  for (const work of live) {
    if (run.outcomes[work.index] !== undefined) continue
    run.latencies[work.index] = run.elapsed()
    const begun = work.tried > 0 || (work.fetching && !work.lane.blocked)
    run.block(work, begun ? cutOff : Outcome.unstarted)
  }
}

const cutOff = Outcome.failed(
  Cause.fail({ _tag: "DeadlineExceeded", message: "the deadline passed", retryable: true }),
  true
)
