/**
 * The time left, as a reference: a transport sets it, everything below shrinks with it.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/**
 * When this work must be done, in epoch milliseconds; `Infinity` where nothing limits it.
 *
 * @category references
 * @since 0.1.0
 */
export const Deadline: Context.Reference<number> = Context.Reference<number>("@leat/core/Deadline", {
  defaultValue: () => Infinity
})

/**
 * Milliseconds kept back before a deadline for the flush and the commit.
 *
 * @category constants
 * @since 0.1.0
 */
export const reserve = 500

/**
 * Runs an effect under a deadline `within` from now, or under the present one where that is sooner.
 *
 * @category combinators
 * @since 0.1.0
 */
export const within =
  (duration: Duration.Input) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(Effect.zip(Clock.currentTimeMillis, Deadline), ([now, present]) =>
      Effect.provideService(self, Deadline, Math.min(present, now + Duration.toMillis(duration)))
    )

/**
 * Milliseconds left, never below 0; `Infinity` without a deadline.
 *
 * @category getters
 * @since 0.1.0
 */
export const remaining: Effect.Effect<number> = Effect.map(Effect.zip(Clock.currentTimeMillis, Deadline), ([now, at]) =>
  Math.max(0, at - now)
)

/**
 * The HTTP header that carries the time left to a service: whole milliseconds, for clocks of two machines disagree.
 *
 * @category constants
 * @since 0.1.0
 */
export const header = "x-leat-timeout-ms"

/**
 * The header's value for so many milliseconds; `undefined` where nothing limits them.
 *
 * ```ts
 * import * as Deadline from "@leat/core/Deadline"
 *
 * Deadline.toHeader(1_234.9) // => "1234"
 * Deadline.toHeader(Infinity) // => undefined
 * ```
 *
 * @category encoding
 * @since 0.1.0
 */
export const toHeader = (left: number): string | undefined =>
  left === Infinity ? undefined : String(Math.max(0, Math.floor(left)))

/**
 * The milliseconds of a header, 0 to a day; `undefined` for what is none.
 *
 * ```ts
 * import * as Deadline from "@leat/core/Deadline"
 *
 * Deadline.fromHeader("1234") // => 1234
 * Deadline.fromHeader("soon") // => undefined
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const fromHeader = (value: string | undefined): number | undefined => {
  if (value === undefined || !/^\d{1,8}$/.test(value)) return undefined
  const left = Number(value)
  return left <= day ? left : undefined
}

const day = 86_400_000
