/**
 * Every shard is this process's.
 *
 * **Gotchas.** Two processes of one application that both say so both read every shard. Checkpoints are fenced, so the
 * later one wins and the earlier one ends with an error; a journal absorbs what both handled.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { ShardAssignment } from "../ShardAssignment.ts"

/**
 * Runs what is offered, at once.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<ShardAssignment> = Layer.succeed(ShardAssignment, {
  name: "solo",
  exclusive: false,
  offer: (_, run) => Effect.asVoid(Effect.forkScoped(run))
})
