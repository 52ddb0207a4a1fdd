/**
 * Steps of a handler whose result is not a function of its event: a price asked for, a ranking read, the time.
 *
 * **Guarantees.** The result of a step is written with the outcome it led to, in the same commit, not before: a crash runs
 * it again. A replay answers it from the journal and runs nothing. Without a journal a step is the effect itself.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"

/**
 * What a step came to, as it is written: pure JSON.
 *
 * @category models
 * @since 0.1.0
 */
export type Result = { readonly value: unknown } | { readonly error: unknown }

/**
 * Keeps the results of one run of a handler: see {@link "./Worker.ts".Meta}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Recorder {
  /** The recorded result of a step; `run`: there is none, run it; a string: it must not run, and why. */
  readonly recall: (name: string) => Result | "run" | { readonly missing: string }
  readonly record: (name: string, result: Result) => void
}

/**
 * A replay came to a step whose result was not recorded: today's code asks for something that yesterday's did not.
 *
 * @category errors
 * @since 0.1.0
 */
export class StepNotRecorded extends Schema.TaggedError<StepNotRecorded>()("StepNotRecorded", {
  step: Schema.String,
  message: Schema.String,
  retryable: Schema.Boolean
}) {}

/**
 * Runs an effect as a named step of a handler, or gives what was recorded of it.
 *
 * **Details**
 *
 * Give a function where making the effect already does something: a replay doesn't call it.
 *
 * The value must be JSON, or have a `schema`. A failure is recorded with its fields, so a replay fails as the run did;
 * a defect is not. A name that comes again in one run is another step.
 *
 * **Example** (A price that a replay doesn't ask for again)
 *
 * ```ts
 * import * as Delivery from "@leat/core/Delivery"
 * import * as Event from "@leat/core/Event"
 * import * as Journal from "@leat/core/Journal"
 * import * as Step from "@leat/core/Step"
 * import * as Worker from "@leat/core/Worker"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 * import * as Stream from "effect/Stream"
 *
 * const Bought = Event.make("Bought", {
 *   payload: Schema.Struct({ film: Schema.String }),
 *   key: (bought) => bought.film,
 *   id: (bought) => bought.film
 * })
 * const till = Worker.make("till", {
 *   events: [Bought],
 *   handle: {
 *     *Bought(_bought, meta) {
 *       yield* Step.run(meta, "price", Effect.succeed(7))
 *     }
 *   }
 * })
 * const steps = await till.process(Delivery.ofEvent(Bought, [{ film: "Heat" }])).pipe(
 *   Effect.andThen(Effect.flatMap(Journal.Journal, ({ read }) => Stream.runCollect(read(0)))),
 *   Effect.map((entries) => entries.map((entry) => entry.steps)),
 *   Effect.provide(Journal.layerMemory),
 *   Effect.runPromise
 * )
 *
 * steps // => [{ price: { value: 7 } }]
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const run = <A, E, R>(
  meta: { readonly steps: Recorder | undefined },
  name: string,
  step: Effect.Effect<A, E, R> | (() => Effect.Effect<A, E, R>),
  options: { readonly schema?: Schema.Codec<A, unknown> } = {}
): Effect.Effect<A, E, R> => {
  const recorder = meta.steps
  const recalled = recorder === undefined ? "run" : recorder.recall(name)
  if (recalled !== "run") return answer<A, E>(recalled, name, options.schema)
  const effect = typeof step === "function" ? step() : step
  if (recorder === undefined) return effect
  const keep = (exit: Exit.Exit<A, E>): void => record(recorder, name, exit, options.schema)
  // Fast path: what `prepare` fetched is an exit, and stays one, so that the handler needs no fiber.
  if (Exit.isExit(effect)) {
    keep(effect as Exit.Exit<A, E>)
    return effect
  }
  return Effect.onExit(effect, (exit) => Effect.sync(() => keep(exit)))
}

const record = <A, E>(
  recorder: Recorder,
  name: string,
  exit: Exit.Exit<A, E>,
  schema: Schema.Codec<A, unknown> | undefined
): void => {
  if (Exit.isSuccess(exit)) {
    if (schema === undefined && !isJson(exit.value, deepest)) throw new TypeError(notJson(name))
    recorder.record(name, {
      value: schema === undefined ? exit.value : Schema.encodeSync(Schema.toCodecJson(schema))(exit.value)
    })
    return
  }
  for (const reason of exit.cause.reasons) {
    if (reason._tag === "Fail") return recorder.record(name, { error: fieldsOf(reason.error) })
  }
}

/** Deeper than any value is, and less than what goes round. */
const deepest = 200

const notJson = (name: string) =>
  `the step ${JSON.stringify(name)} gave something that is not JSON (a bigint, a function, a value inside itself): give it a schema`

/** Found out here, where it is one handler's fault: in the journal it would be the whole batch's. */
const isJson = (value: unknown, left: number): boolean => {
  if (typeof value !== "object")
    return typeof value !== "bigint" && typeof value !== "function" && typeof value !== "symbol"
  if (value === null) return true
  if (left === 0) return false
  if (Array.isArray(value)) return value.every((item) => isJson(item, left - 1))
  for (const name in value) if (!isJson(value[name as keyof typeof value], left - 1)) return false
  return true
}

/** A message is no field of its own of an error, so it is named. What else an error holds may not be JSON. */
const fieldsOf = (error: unknown): unknown =>
  error instanceof Error
    ? { ...plainFields(error), message: error.message }
    : typeof error === "object" && error !== null
      ? plainFields(error)
      : isJson(error, deepest)
        ? error
        : String(error)

const plainFields = (error: object): object =>
  Object.fromEntries(
    Object.entries(error).filter(
      ([, value]) => value === null || ["string", "number", "boolean"].includes(typeof value)
    )
  )

const answer = <A, E>(
  recalled: Result | { readonly missing: string },
  name: string,
  schema: Schema.Codec<A, unknown> | undefined
): Effect.Effect<A, E> => {
  if ("missing" in recalled) {
    // The caller's error channel doesn't know it, and must not catch it: it says that the run can't be repeated.
    return Exit.die(new StepNotRecorded({ step: name, message: recalled.missing, retryable: false }))
  }
  // Recorded from an E.
  if ("error" in recalled) return Exit.fail(recalled.error as E)
  return Exit.succeed(
    schema === undefined ? (recalled.value as A) : Schema.decodeUnknownSync(Schema.toCodecJson(schema))(recalled.value)
  )
}
