/**
 * Where the machines of a cluster agree on who holds what: the contract of the stores in this folder.
 *
 * **Guarantees.** A name is one machine's until its lease ends. Leases end by the clock of the store alone: what the
 * machines' own clocks say doesn't matter.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/**
 * The machines could not agree: their store can't be reached, or refuses us.
 *
 * @category errors
 * @since 0.1.0
 */
export class ShardAssignmentError extends Schema.TaggedError<ShardAssignmentError>()("ShardAssignmentError", {
  /** `Refused`: no permission, a wrong URL or password. `Unavailable`: the same call may succeed later. */
  reason: Schema.Literals(["Unavailable", "Refused"]),
  /** `open`, `join`, `machines`, `take`, `keep`, `unheld`, `free` or `leave`. */
  operation: Schema.String,
  message: Schema.String,
  retryable: Schema.Boolean,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/**
 * The error of a call.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fault = (
  operation: string,
  {
    cause,
    message,
    reason
  }: {
    readonly reason: ShardAssignmentError["reason"]
    readonly message: string
    readonly cause?: unknown
  }
): ShardAssignmentError =>
  new ShardAssignmentError({
    reason,
    operation,
    message,
    retryable: reason === "Unavailable",
    ...(cause === undefined ? undefined : { cause })
  })

/**
 * A machine that lives, and what it offers to run, as it said.
 *
 * @category models
 * @since 0.1.0
 */
export interface Machine {
  readonly machine: string
  readonly offers: string
}

/**
 * What a store does. Leases are of names; `lease` is milliseconds, and every call that has one begins it anew.
 *
 * @category models
 * @since 0.1.0
 */
export interface LeaseStore {
  /** Says that a machine lives, and what it offers, in text that the store only keeps. */
  readonly join: (machine: string, offers: string, lease: number) => Effect.Effect<void, ShardAssignmentError>
  /** The machines that live, in any order. */
  readonly machines: Effect.Effect<ReadonlyArray<Machine>, ShardAssignmentError>
  /** Of these names the first that nobody else holds, at most so many; with those that the machine held already. */
  readonly take: (
    machine: string,
    names: ReadonlyArray<string>,
    most: number,
    lease: number
  ) => Effect.Effect<ReadonlyArray<string>, ShardAssignmentError>
  /** Says that a machine lives and what it offers, and which of these names it still holds. */
  readonly keep: (
    machine: string,
    names: ReadonlyArray<string>,
    offers: string,
    lease: number
  ) => Effect.Effect<ReadonlyArray<string>, ShardAssignmentError>
  /** Which of these names nobody holds. */
  readonly unheld: (names: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<string>, ShardAssignmentError>
  /** Gives up names that the machine holds. */
  readonly free: (machine: string, names: ReadonlyArray<string>) => Effect.Effect<void, ShardAssignmentError>
  /** The machine goes. What it holds stays its own until it is freed. */
  readonly leave: (machine: string) => Effect.Effect<void, ShardAssignmentError>
}
