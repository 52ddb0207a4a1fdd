/**
 * A store whose answers get lost: what was asked is done, and the asker is told that nobody answered.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

import { CheckpointError } from "../../Checkpoint.ts"
import type { CheckpointStore } from "../../Checkpoint.ts"

/**
 * `loses` is asked after each call that was done.
 *
 * @category constructors
 * @since 0.1.0
 */
export const lossy = (store: CheckpointStore["Service"], loses: () => boolean): CheckpointStore["Service"] => {
  const maybe =
    (operation: string) =>
    <A>(call: Effect.Effect<A, CheckpointError>): Effect.Effect<A, CheckpointError> =>
      Effect.flatMap(call, (answer) => (loses() ? Effect.fail(lost(operation)) : Effect.succeed(answer)))
  return {
    list: (group) => maybe("list")(store.list(group)),
    create: (group, rows) => maybe("create")(store.create(group, rows)),
    acquire: (group, shardId, owner) => maybe("acquire")(store.acquire(group, shardId, owner)),
    advance: (group, write) => maybe("advance")(store.advance(group, write)),
    remove: (group, shardIds) => maybe("remove")(store.remove(group, shardIds))
  }
}

const lost = (operation: string): CheckpointError =>
  new CheckpointError({ reason: "Unavailable", operation, message: "the answer got lost", retryable: true })

/**
 * Makes a call whose answer gets lost, and gives what the asker is told.
 *
 * @category constructors
 * @since 0.1.0
 */
export const lose = <A>(
  store: CheckpointStore["Service"],
  call: (store: CheckpointStore["Service"]) => Effect.Effect<A, CheckpointError>
): Effect.Effect<CheckpointError> =>
  Effect.matchEffect(call(lossy(store, () => true)), {
    onFailure: Effect.succeed,
    onSuccess: () => Effect.die("the answer got through")
  })
