/**
 * Which hold on its shard a handler runs under: what a store outside needs to refuse a process that stood still.
 *
 * A process can be stopped (a debugger, a virtual machine that is moved) for longer than its lease, and go on in the midst
 * of a handler while its successor handles the same records. Checkpoints and journal refuse it by themselves; a store of
 * the handler's own can, if it keeps the highest token that it saw of a partition and takes no write with a lower one.
 *
 * @example
 * ```ts
 * import * as FencingToken from "@leat/transport-kinesis/FencingToken"
 * import * as Effect from "effect/Effect"
 *
 * const written = new Map<string, number>()
 * const write = Effect.gen(function* () {
 *   const hold = yield* FencingToken.FencingToken
 *   if (hold === undefined) return "not behind a consumer"
 *   if (hold.token < (written.get(hold.partition) ?? 0)) return "somebody else has the shard by now"
 *   written.set(hold.partition, hold.token)
 *   return "written"
 * })
 *
 * Effect.runSync(write) // => "not behind a consumer"
 * ```
 *
 * @see https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html
 * @since 0.1.0
 */
import * as Context from "effect/Context"

/**
 * A hold on a shard.
 *
 * @category models
 * @since 0.1.0
 */
export interface Hold {
  /** The shard, with the name of its stream: `Delivery.partition`. */
  readonly partition: string
  /** Grows by 1 with each takeover of the shard, by whichever process. */
  readonly token: number
}

/**
 * In the context of handlers, `prepare` and what they call; `undefined` behind other transports.
 *
 * @category references
 * @since 0.1.0
 */
export const FencingToken: Context.Reference<Hold | undefined> = Context.Reference<Hold | undefined>(
  "@leat/transport-kinesis/FencingToken",
  { defaultValue: () => undefined }
)
