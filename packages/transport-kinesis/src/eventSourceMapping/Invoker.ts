/**
 * Calls the function as Lambda would: one batch, a request id, a deadline, an answer in JSON.
 *
 * @since 0.1.0
 */
import { randomUUID } from "node:crypto"

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"

import type * as KinesisClient from "../KinesisClient.ts"
import type * as LambdaEvent from "../LambdaEvent.ts"
import * as Batch from "./Batch.ts"
import * as InvokeThrottled from "./InvokeThrottled.ts"
import * as Verdict from "./Verdict.ts"

/**
 * What an invoker needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly handler: LambdaEvent.Handler
  readonly functionName: string
  readonly functionArn: string
  readonly streamArn: string
  /** Milliseconds. */
  readonly functionTimeout: number
  readonly payloadBytes: number
  readonly reportBatchItemFailures: boolean
  /** Calls at once; what is beyond is throttled. */
  readonly reservedConcurrency: number | undefined
}

/**
 * What came of an invocation.
 *
 * @category models
 * @since 0.1.0
 */
export interface Invocation {
  readonly requestId: string
  readonly verdict: Verdict.Verdict
  readonly duration: number
  readonly iteratorAge: number
  readonly error: unknown
  /** What a function under a tumbling window hands on. */
  readonly state: unknown
}

/**
 * Invokes the function; never fails.
 *
 * @category models
 * @since 0.1.0
 */
export interface Invoker {
  readonly invoke: (
    shardId: string,
    records: ReadonlyArray<KinesisClient.Record>,
    window?: LambdaEvent.TimeWindow
  ) => Effect.Effect<Invocation>
  /** Waits for calls whose answer nobody awaits any more: after a timeout, after an interruption. */
  readonly idle: Effect.Effect<void>
}

/**
 * An invoker of a function.
 *
 * **Gotchas**
 *
 * Lambda kills a function at its timeout; a promise can't be killed. It goes on, and its answer is not read. It does not
 * count as running either: on AWS it would be dead.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Invoker => {
  const running = new Set<Promise<Outcome>>()
  const call = (event: LambdaEvent.LambdaEvent, context: LambdaEvent.LambdaContext): Effect.Effect<Outcome> =>
    Effect.promise(async () => {
      const outcome = outcomeOf(options.handler, event, context)
      running.add(outcome)
      await outcome
      running.delete(outcome)
      return outcome
    }).pipe(Effect.timeoutOption(options.functionTimeout), Effect.map(Option.getOrElse(() => timedOut(options))))
  const admitted = admission(options.reservedConcurrency)

  return {
    idle: Effect.asVoid(Effect.promise(() => Promise.all(running))),
    invoke: Effect.fnUntraced(function* (shardId, records, window) {
      const clock = yield* Clock.Clock
      const started = clock.currentTimeMillisUnsafe()
      const requestId = randomUUID()
      const event = { ...Batch.event(records, { shardId, streamArn: options.streamArn }), ...window }
      const outcome = isTooLarge(options, records)
        ? tooLarge(options)
        : yield* admitted(call(event, context(options, requestId, clock)))
      return {
        requestId,
        duration: clock.currentTimeMillisUnsafe() - started,
        iteratorAge: Math.max(0, started - (records.at(-1)?.arrival ?? started)),
        ...judge(options, records, outcome, window)
      }
    })
  }
}

type Outcome =
  | { readonly _tag: "Answered"; readonly answer: unknown }
  | { readonly _tag: "Threw"; readonly error: unknown }

const timedOut = ({ functionTimeout }: Options): Outcome => ({
  _tag: "Threw",
  error: new Error(`Task timed out after ${functionTimeout} ms`)
})

/** Only a record of more than 4 MB comes here alone and too large: AWS has no way to send it. */
const isTooLarge = (options: Options, records: ReadonlyArray<KinesisClient.Record>): boolean =>
  records.length === 1 && Batch.fit(records, { ...options, batchSize: 2 }).full

const tooLarge = ({ payloadBytes }: Options): Outcome => ({
  _tag: "Threw",
  error: new RangeError(`the event is larger than ${payloadBytes} bytes`)
})

const admission = (
  reservedConcurrency: number | undefined
): ((call: Effect.Effect<Outcome>) => Effect.Effect<Outcome>) => {
  if (reservedConcurrency === undefined) return (call) => call
  const semaphore = Semaphore.makeUnsafe(reservedConcurrency)
  const message = `the reserved concurrency of ${reservedConcurrency} is used up`
  const turnedAway: Outcome = { _tag: "Threw", error: new InvokeThrottled.InvokeThrottled({ message }) }
  return (call) =>
    Effect.map(
      semaphore.withPermitsIfAvailable(1)(call),
      Option.getOrElse(() => turnedAway)
    )
}

// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html
const context = (options: Options, requestId: string, clock: Clock.Clock): LambdaEvent.LambdaContext => {
  const killedAt = clock.currentTimeMillisUnsafe() + options.functionTimeout
  return {
    awsRequestId: requestId,
    functionName: options.functionName,
    functionVersion: "$LATEST",
    invokedFunctionArn: options.functionArn,
    memoryLimitInMB: "128",
    logGroupName: `/aws/lambda/${options.functionName}`,
    logStreamName: "local",
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, killedAt - clock.currentTimeMillisUnsafe())
  }
}

const outcomeOf = async (
  handler: LambdaEvent.Handler,
  event: LambdaEvent.LambdaEvent,
  context: LambdaEvent.LambdaContext
): Promise<Outcome> => {
  try {
    return { _tag: "Answered", answer: asJson(await answerOf(handler, event, context)) }
  } catch (error) {
    return { _tag: "Threw", error }
  }
}

/** A function of three parameters answers by its callback, unless it returns a promise. */
const answerOf = (
  handler: LambdaEvent.Handler,
  event: LambdaEvent.LambdaEvent,
  context: LambdaEvent.LambdaContext
): unknown => {
  if (handler.length < 3) return handler(event, context)
  return new Promise((resolve, reject) => {
    const returned: unknown = handler(event, context, (error, answer) =>
      error === undefined || error === null ? resolve(answer) : reject(error)
    )
    if (returned instanceof Promise) returned.then(resolve, reject)
  })
}

/** The answer leaves the function as JSON: what has no JSON form is an error of the function. */
const asJson = (answer: unknown): unknown => {
  const text = JSON.stringify(answer)
  return text === undefined ? null : JSON.parse(text)
}

const judge = (
  options: Options,
  records: ReadonlyArray<KinesisClient.Record>,
  outcome: Outcome,
  window: LambdaEvent.TimeWindow | undefined
): Pick<Invocation, "verdict" | "error" | "state"> => {
  if (outcome._tag === "Threw") {
    const verdict = InvokeThrottled.is(outcome.error) ? Verdict.throttled : Verdict.thrown
    return { verdict, error: outcome.error, state: undefined }
  }
  const state = stateOf(outcome.answer)
  if (window !== undefined && (state === undefined || state === null)) {
    return { verdict: Verdict.unreadable, error: new TypeError(stateless), state: undefined }
  }
  if (!options.reportBatchItemFailures) return { verdict: Verdict.settled, error: undefined, state }
  const numbers = records.map((record) => record.sequenceNumber)
  return { verdict: Verdict.fromAnswer(numbers, outcome.answer), error: undefined, state }
}

const stateless = "the answer has no `state`: under a tumbling window each answer needs one, that of the final call too"

const stateOf = (answer: unknown): unknown =>
  typeof answer === "object" && answer !== null && "state" in answer ? answer.state : undefined
