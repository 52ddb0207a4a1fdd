/**
 * What happens to a lane when an event of it fails.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

/**
 * `park`: the event and all that follow on its key wait in the journal, in order. `halt`: the transport delivers again
 * from there. `skip`: the failure is recorded and the lane goes on.
 *
 * @category models
 * @since 0.1.0
 */
export type Action = "park" | "halt" | "skip"

/**
 * A failure policy.
 *
 * **Details**
 *
 * Without a journal nothing can wait: `park` sends the event to the configured dead-letter sink and becomes `halt`
 * where there is none.
 *
 * @category models
 * @since 0.1.0
 */
export interface FailurePolicy {
  /** For a failure that says it is not retryable, for one that says nothing, and for defects. Default `park`. */
  readonly permanent: Action
  /** For a retryable failure. Default `halt`: an outage must not park every key until a person redrives. */
  readonly transient: Action
  /** From this delivery attempt on a retryable failure counts as permanent. Default: never. */
  readonly maxAttempts: number
  /** Milliseconds a lane may wait between retries inside one batch. Default 1 s. */
  readonly maxHold: number
  /** Events that may wait parked on one key; from then on the key halts. Default 1,000. */
  readonly maxParkedPerKey: number
  /** Events of a worker that may wait parked; from then on what would park halts. Default 100,000. */
  readonly maxParked: number
}

/**
 * What a policy is built from; a policy is one itself. See its fields for the defaults.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly permanent?: Action | undefined
  readonly transient?: Action | undefined
  readonly maxAttempts?: number | undefined
  readonly maxHold?: Duration.Input | undefined
  readonly maxParkedPerKey?: number | undefined
  readonly maxParked?: number | undefined
}

/**
 * Builds a policy.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): FailurePolicy => ({
  permanent: options.permanent ?? "park",
  transient: options.transient ?? "halt",
  maxAttempts: options.maxAttempts ?? Infinity,
  maxHold: Duration.toMillis(options.maxHold ?? 1_000),
  maxParkedPerKey: options.maxParkedPerKey ?? 1_000,
  maxParked: options.maxParked ?? 100_000
})

/**
 * The policy in force.
 *
 * @category references
 * @since 0.1.0
 */
export const FailurePolicy: Context.Reference<FailurePolicy> = Context.Reference<FailurePolicy>(
  "@leat/core/FailurePolicy",
  { defaultValue: () => make() }
)

/**
 * Treats failures by a policy.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<never> => Layer.succeed(FailurePolicy, make(options))

const action = (name: string, otherwise: Action) =>
  Config.schema(Schema.Literals(["park", "halt", "skip"]), name).pipe(Config.withDefault(otherwise))

const bound = (name: string, otherwise: number) =>
  Config.schema(Schema.Int.check(Schema.isGreaterThan(0)), name).pipe(Config.withDefault(otherwise))

/**
 * Treats failures by `FAILURE_PERMANENT` (park), `FAILURE_TRANSIENT` (halt), `FAILURE_MAX_ATTEMPTS`,
 * `FAILURE_MAX_HOLD` (1 second), `FAILURE_MAX_PARKED_PER_KEY` (1000) and `FAILURE_MAX_PARKED` (100000).
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig: Layer.Layer<never, Config.ConfigError> = Layer.effect(
  FailurePolicy,
  Effect.map(
    Config.all({
      permanent: action("FAILURE_PERMANENT", "park"),
      transient: action("FAILURE_TRANSIENT", "halt"),
      maxAttempts: Config.schema(Schema.Int.check(Schema.isGreaterThan(0)), "FAILURE_MAX_ATTEMPTS").pipe(
        Config.withDefault(Infinity)
      ),
      maxHold: Config.Duration("FAILURE_MAX_HOLD").pipe(Config.withDefault(Duration.seconds(1))),
      maxParkedPerKey: bound("FAILURE_MAX_PARKED_PER_KEY", 1_000),
      maxParked: bound("FAILURE_MAX_PARKED", 100_000)
    }),
    make
  )
)

/**
 * What to do with a failure of this kind at this delivery attempt.
 *
 * @category getters
 * @since 0.1.0
 */
export const decide = (policy: FailurePolicy, retryable: boolean, attempt: number): Action =>
  retryable && attempt < policy.maxAttempts ? policy.transient : policy.permanent
