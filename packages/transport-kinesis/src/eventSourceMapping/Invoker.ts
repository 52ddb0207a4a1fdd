/**
 * Calls the function as Lambda would: one batch, a request id, a deadline, an answer in JSON.
 *
 * @since 0.1.0
 */
import { randomUUID } from "node:crypto"

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import type * as KinesisClient from "../KinesisClient.ts"
import type * as LambdaEvent from "../LambdaEvent.ts"
import * as Batch from "./Batch.ts"
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
}

/**
 * Invokes the function; never fails.
 *
 * @category models
 * @since 0.1.0
 */
export interface Invoker {
  readonly invoke: (shardId: string, records: ReadonlyArray<KinesisClient.Record>) => Effect.Effect<Invocation>
  /** Waits for calls whose answer nobody awaits any more: after a timeout, after an interruption. */
  readonly idle: Effect.Effect<void>
}

/**
 * An invoker of a function.
 *
 * **Gotchas**
 *
 * Lambda kills a function at its timeout; a promise can't be killed. It goes on, and its answer is not read.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Invoker => {
  const running = new Set<Promise<Outcome>>()
  const call = (event: LambdaEvent.LambdaEvent, context: LambdaEvent.LambdaContext) =>
    Effect.promise(async () => {
      const outcome = outcomeOf(options.handler, event, context)
      running.add(outcome)
      await outcome
      running.delete(outcome)
      return outcome
    }).pipe(Effect.timeoutOption(options.functionTimeout))

  return {
    idle: Effect.asVoid(Effect.promise(() => Promise.all(running))),
    invoke: Effect.fnUntraced(function* (shardId, records) {
      const clock = yield* Clock.Clock
      const started = clock.currentTimeMillisUnsafe()
      const requestId = randomUUID()
      const tooLarge = records.length === 1 && Batch.fit(records, { ...options, batchSize: 2 }).full
      const outcome = tooLarge
        ? Option.some<Outcome>({
            _tag: "Threw",
            error: new RangeError(`the event is larger than ${options.payloadBytes} bytes`)
          })
        : yield* call(Batch.event(records, { shardId, streamArn: options.streamArn }), {
            awsRequestId: requestId,
            functionName: options.functionName,
            invokedFunctionArn: options.functionArn,
            getRemainingTimeInMillis: () =>
              Math.max(0, started + options.functionTimeout - clock.currentTimeMillisUnsafe())
          })
      return {
        requestId,
        duration: clock.currentTimeMillisUnsafe() - started,
        iteratorAge: Math.max(0, started - (records.at(-1)?.arrival ?? started)),
        ...judge(options, records, outcome)
      }
    })
  }
}

type Outcome =
  | { readonly _tag: "Answered"; readonly answer: unknown }
  | { readonly _tag: "Threw"; readonly error: unknown }

const outcomeOf = async (
  handler: LambdaEvent.Handler,
  event: LambdaEvent.LambdaEvent,
  context: LambdaEvent.LambdaContext
): Promise<Outcome> => {
  try {
    return { _tag: "Answered", answer: asJson(await handler(event, context)) }
  } catch (error) {
    return { _tag: "Threw", error }
  }
}

/** The answer leaves the function as JSON: what has no JSON form is an error of the function. */
const asJson = (answer: unknown): unknown => {
  const text = JSON.stringify(answer)
  return text === undefined ? null : JSON.parse(text)
}

const judge = (
  options: Options,
  records: ReadonlyArray<KinesisClient.Record>,
  outcome: Option.Option<Outcome>
): Pick<Invocation, "verdict" | "error"> => {
  if (Option.isNone(outcome)) {
    return { verdict: Verdict.thrown, error: new Error(`Task timed out after ${options.functionTimeout} ms`) }
  }
  if (outcome.value._tag === "Threw") return { verdict: Verdict.thrown, error: outcome.value.error }
  if (!options.reportBatchItemFailures) return { verdict: Verdict.settled, error: undefined }
  const numbers = records.map((record) => record.sequenceNumber)
  return { verdict: Verdict.fromAnswer(numbers, outcome.value.answer), error: undefined }
}
