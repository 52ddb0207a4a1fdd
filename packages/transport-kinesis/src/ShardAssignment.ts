/**
 * Which shards are this process's: the contract of `assignment/Solo.ts` and `assignment/Cluster.ts`.
 *
 * **Guarantees.** Of all the processes that offer to run a name, one runs it at a time, as long as it lives; when it dies
 * another does. A run that loses its place is interrupted, and its finalizers are waited for before the place is free.
 *
 * **Gotchas.** A process that was stopped (a frozen machine, a long pause) and goes on may for a moment run beside its
 * successor. What a run writes has to be fenced; `Checkpoint.ts` is, and so is a journal.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/**
 * Assigns runs to processes.
 *
 * @category services
 * @since 0.1.0
 */
export class ShardAssignment extends Context.Service<
  ShardAssignment,
  {
    /** `solo` or `cluster`: for the start log. */
    readonly name: string
    /** Whether other processes are kept from running the same names. */
    readonly exclusive: boolean
    /**
     * Offers to run `run` under a name until the scope closes. A run that completes is not begun again by this offer
     * unless the name moves away and comes back.
     */
    readonly offer: <R>(name: string, run: Effect.Effect<void, never, R>) => Effect.Effect<void, never, R | Scope.Scope>
  }
>()("@leat/transport-kinesis/ShardAssignment") {}
