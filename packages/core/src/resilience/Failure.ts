/**
 * What kind of failure it is, as data: policies decide by it, and by nothing else.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"

/**
 * A kind of failure.
 *
 * - `Transient`: the same call may succeed a moment later.
 * - `Throttle`: the dependency asks for less; `retryAfter` in milliseconds, where it says how long.
 * - `Timeout`: no answer in time; it may have been carried out all the same.
 * - `Terminal`: the same call fails again.
 * - `Cancelled`: who called doesn't want it any more; it says nothing about the dependency.
 *
 * @category models
 * @since 0.1.0
 */
export type Failure =
  | { readonly _tag: "Transient" }
  | { readonly _tag: "Throttle"; readonly retryAfter: number | undefined }
  | { readonly _tag: "Timeout" }
  | { readonly _tag: "Terminal" }
  | { readonly _tag: "Cancelled" }

/**
 * Says of any error what kind it is.
 *
 * @category models
 * @since 0.1.0
 */
export type Classify = (error: unknown) => Failure

const transient: Failure = { _tag: "Transient" }
const timeout: Failure = { _tag: "Timeout" }
const terminal: Failure = { _tag: "Terminal" }
const cancelled: Failure = { _tag: "Cancelled" }

/**
 * By the error's own data: `retryable`, `retryAfter` and a `reason` that speaks of time or throttling. What says nothing
 * is terminal.
 *
 * ```ts
 * import * as Failure from "@leat/core/resilience/Failure"
 *
 * Failure.classify({ retryable: true })._tag // => "Transient"
 * Failure.classify({ retryable: true, reason: "Timeout" })._tag // => "Timeout"
 * Failure.classify({ retryable: true, retryAfter: 500 }) // => { _tag: "Throttle", retryAfter: 500 }
 * Failure.classify(new Error("who knows"))._tag // => "Terminal"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const classify: Classify = (error) => {
  if (typeof error !== "object" || error === null || !("retryable" in error) || error.retryable !== true) {
    return terminal
  }
  const reason = "reason" in error && typeof error.reason === "string" ? error.reason : ""
  const retryAfter = "retryAfter" in error && typeof error.retryAfter === "number" ? error.retryAfter : undefined
  // The caller had less time than a call takes: nobody's fault.
  if (reason === "DeadlineExceeded") return cancelled
  if (retryAfter !== undefined || reason.startsWith("Throttl")) return { _tag: "Throttle", retryAfter }
  return reason.endsWith("Timeout") ? timeout : transient
}

/**
 * What kind of failure an exit is; `undefined` for a success. A defect is terminal.
 *
 * @category getters
 * @since 0.1.0
 */
export const ofExit = <A, E>(exit: Exit.Exit<A, E>, by: Classify = classify): Failure | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  if (Cause.hasInterruptsOnly(exit.cause)) return cancelled
  return Option.match(Exit.findErrorOption(exit), { onNone: () => terminal, onSome: by })
}

/**
 * Whether it says that the dependency is not well.
 *
 * @category guards
 * @since 0.1.0
 */
export const isTrouble = (failure: Failure): boolean => failure._tag !== "Terminal" && failure._tag !== "Cancelled"

/**
 * Whether the same call may be made again. After a timeout only one that may safely be carried out twice.
 *
 * @category guards
 * @since 0.1.0
 */
export const mayRetry = (failure: Failure, idempotent: boolean): boolean =>
  isTrouble(failure) && (failure._tag !== "Timeout" || idempotent)
