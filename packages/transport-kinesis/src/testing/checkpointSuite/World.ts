import * as Effect from "effect/Effect"

import type { CheckpointError, CheckpointStore, Group } from "../../Checkpoint.ts"
import * as ShardPosition from "../../ShardPosition.ts"

/** A store, and a group of the test's own in it. */
export interface World {
  readonly store: CheckpointStore["Service"]
  readonly group: Group
}

export type Must = (sentence: string, body: (world: World) => Effect.Effect<void, CheckpointError>) => void

export const freshGroup = (): Group => ({
  application: `suite-${globalThis.crypto.randomUUID()}`,
  stream: "orders@1767225600000"
})

export const shardId = "shardId-000000000000"
export const begin = ShardPosition.trimHorizon
export const at = (number: number) => ShardPosition.after(String(number))

export const begun = ({ group, store }: World) => store.create(group, [{ shardId, position: begin }])

export const acquire = Effect.fnUntraced(function* ({ group, store }: World, owner: string) {
  const taken = yield* store.acquire(group, shardId, owner)
  return taken === undefined ? yield* Effect.die(`no row for ${owner}`) : taken.token
})

export const positionOf = ({ group, store }: World) =>
  Effect.map(store.list(group), (rows) => rows.find((row) => row.shardId === shardId)?.position)
