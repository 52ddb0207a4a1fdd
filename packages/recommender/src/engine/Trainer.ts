/**
 * Trains models on a thread of their own, so that the thread which answers requests never waits for it.
 *
 * **Details**
 *
 * A training is one thread from start to end: nothing is kept between two of them. The arrays are handed over, not
 * copied, on the way back. Interrupting the effect ends the thread at once.
 *
 * **Gotchas**
 *
 * The thread's program is a file beside this one, found through `import.meta.url`: `.ts` when sources run by type
 * stripping, `.js` when built. A bundler doesn't see it; a bundled program names the file in `worker`.
 *
 * @since 0.1.0
 */
import { Worker } from "node:worker_threads"

import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { Model } from "./Model.ts"
import type { Ratings } from "./Ratings.ts"
import type * as Training from "./train.ts"

/**
 * Why there is no model.
 *
 * **Details**
 *
 * - `InvalidOptions`: an option is outside its range; the message names it.
 * - `WorkerFailed`: the thread threw (out of memory, for one), or could not start.
 * - `WorkerExited`: the thread ended without a model.
 *
 * @category errors
 * @since 0.1.0
 */
export class TrainError extends Schema.TaggedError<TrainError>()("@leat/recommender/engine/TrainError", {
  reason: Schema.Literals(["InvalidOptions", "WorkerFailed", "WorkerExited"]),
  message: Schema.String,
  retryable: Schema.Boolean,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/**
 * How to train, and where.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Training.Options {
  /** The thread's program. Default: `trainWorker` beside this file. */
  readonly worker?: URL | undefined
}

/**
 * Trains a model in a worker thread.
 *
 * @category combinators
 * @since 0.1.0
 */
export const train: (ratings: Ratings, options?: Options) => Effect.Effect<Model, TrainError> = Effect.fn(
  "Trainer.train"
)(function* (ratings, options = {}) {
  const fault = faultOf(options)
  if (fault !== undefined) {
    return yield* new TrainError({ reason: "InvalidOptions", message: fault, retryable: false })
  }
  return yield* inThread(ratings, options)
})

const faultOf = ({ beta, lambda, maxItems }: Options): string | undefined => {
  if (lambda !== undefined && !(lambda > 0 && lambda < Infinity)) return `lambda must be above 0, not ${lambda}`
  if (beta !== undefined && !(beta >= 0 && beta < Infinity)) return `beta must be at least 0, not ${beta}`
  if (maxItems !== undefined && !(Number.isInteger(maxItems) && maxItems >= 1 && maxItems <= 30_000)) {
    return `maxItems must be a whole number from 1 to 30000, not ${maxItems}`
  }
  return undefined
}

const inThread = (ratings: Ratings, { worker: program = beside(), ...options }: Options) =>
  Effect.callback<Model, TrainError>((resume) => {
    const fail = (reason: TrainError["reason"], message: string, cause?: unknown) =>
      resume(
        Effect.fail(new TrainError({ reason, message, retryable: true, ...(cause === undefined ? {} : { cause }) }))
      )
    const { worker, fault } = start(program, ratings, options)
    if (worker === undefined) return fail("WorkerFailed", "the training thread could not start", fault)
    worker.once("message", (model: Model) => resume(Effect.succeed(model)))
    worker.once("messageerror", (cause) => fail("WorkerFailed", "the model could not be handed over", cause))
    worker.once("error", (cause) => fail("WorkerFailed", `the training thread failed: ${textOf(cause)}`, cause))
    worker.once("exit", (code) => fail("WorkerExited", `the training thread ended with code ${code} and no model`))
    return Effect.promise(() => worker.terminate())
  })

const start = (program: URL, { itemIds, positives }: Ratings, options: Training.Options) => {
  const input: Training.Input = { itemIds, positives }
  try {
    return { worker: new Worker(program, { name: "leat-train", workerData: { input, options } }) }
  } catch (fault) {
    return { fault }
  }
}

const beside = (): URL => new URL(`./trainWorker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url)

const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
