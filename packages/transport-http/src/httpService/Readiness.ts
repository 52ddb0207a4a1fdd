/**
 * Whether this service can do its work: named checks of what it depends on, side by side, each bounded by a timeout.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/**
 * Named checks. A check that succeeds is well; how it fails does not matter, only that it does.
 *
 * @category models
 * @since 0.1.0
 */
export type Checks<R = never> = Readonly<Record<string, Check<R>>>

/**
 * One check.
 *
 * @category models
 * @since 0.1.0
 */
export type Check<R = never> = Effect.Effect<unknown, { readonly message: string }, R>

/**
 * What the checks found. Only names and one word each: a message could carry an address or a secret.
 *
 * @category models
 * @since 0.1.0
 */
export interface Readiness {
  readonly status: "ready" | "unavailable" | "draining"
  readonly checks: Readonly<Record<string, "ok" | "failed" | "timeout">>
}

/**
 * Runs every check. Ready is who has all it needs; what is only watched is shown.
 *
 * @category combinators
 * @since 0.1.0
 */
export const check = <R>(
  checks: { readonly needed: Checks<R>; readonly watched: Checks<R> },
  timeout: Duration.Input
): Effect.Effect<Readiness, never, R> => {
  const all = Object.entries({ ...checks.watched, ...checks.needed })
  return Effect.map(
    Effect.forEach(all, ([name, one]) => Effect.map(run(one, timeout), (found) => [name, found] as const), {
      concurrency: "unbounded"
    }),
    (found) => ({
      status: found.every(([name, word]) => word === "ok" || !Object.hasOwn(checks.needed, name))
        ? "ready"
        : "unavailable",
      checks: Object.fromEntries(found)
    })
  )
}

const run = <R>(one: Check<R>, timeout: Duration.Input): Effect.Effect<"ok" | "failed" | "timeout", never, R> =>
  one.pipe(
    Effect.as("ok" as const),
    Effect.catchCause((cause) => Effect.as(Effect.logWarning("readiness check failed", cause), "failed" as const)),
    Effect.timeoutOrElse({ duration: timeout, orElse: () => Effect.succeed("timeout" as const) })
  )
