/**
 * Owners that take a shard from each other while they write, at once.
 *
 * @since 0.1.0
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"

import type { CheckpointError, CheckpointStore, Group } from "../../Checkpoint.ts"
import * as ShardPosition from "../../ShardPosition.ts"
import { lossy } from "./lossy.ts"

const shardId = "shardId-000000000000"

/** A position that tells whose write it was. */
const place = (token: number, revision: number): number => token * 1_000 + revision

const placeOf = (position: ShardPosition.ShardPosition): number =>
  position._tag === "After" ? Number(position.sequenceNumber) : 0

interface Life {
  readonly token: number
  /** Places it wrote and was told that the row was its own. */
  readonly written: ReadonlyArray<number>
}

/** Until it answers: what the consumer does. */
const insist = <A>(call: Effect.Effect<A, CheckpointError>): Effect.Effect<A, CheckpointError> =>
  Effect.retry(call, { while: ({ retryable }) => retryable, times: 50 })

const live = (store: CheckpointStore["Service"], group: Group, owner: string, writes: number) =>
  Effect.gen(function* () {
    const taken = yield* insist(store.acquire(group, shardId, owner))
    if (taken === undefined) return yield* Effect.die("the row is gone")
    const written: Array<number> = []
    let lostPlace = false
    for (let revision = 1; revision <= writes; revision++) {
      const position = ShardPosition.after(String(place(taken.token, revision)))
      const own = yield* insist(store.advance(group, { shardId, token: taken.token, revision, position }))
      assert.isFalse(own && lostPlace, "who lost the shard never gets it back under its old token")
      if (own) written.push(place(taken.token, revision))
      else lostPlace = true
    }
    return { token: taken.token, written } satisfies Life
  })

/** Looks again and again until it is interrupted: no reader ever sees the row move back. */
const watch = (store: CheckpointStore["Service"], group: Group) =>
  Effect.gen(function* () {
    let last = 0
    while (true) {
      const [row] = yield* store.list(group)
      const seen = row === undefined ? 0 : placeOf(row.position)
      assert.isAtLeast(seen, last, "a row never moves back")
      last = seen
      yield* Effect.yieldNow
    }
  })

/**
 * Several owners at once, whose answers get lost now and then: tokens are distinct, the last owner's writes all count,
 * and nothing that an earlier one writes comes after them.
 *
 * @category testing
 * @since 0.1.0
 */
export const fight = Effect.fnUntraced(function* (
  store: CheckpointStore["Service"],
  group: Group,
  { owners, writes }: { readonly owners: number; readonly writes: number }
) {
  yield* store.create(group, [{ shardId, position: ShardPosition.trimHorizon }])
  let calls = 0
  const unreliable = lossy(store, () => (calls += 1) % 7 === 0)
  const lives = yield* Effect.forEach(
    Array.from({ length: owners }, (_, index) => `owner-${index}`),
    (owner) => live(unreliable, group, owner, writes),
    { concurrency: "unbounded" }
  ).pipe(Effect.raceFirst(watch(store, group)))

  const tokens = lives.map(({ token }) => token)
  assert.strictEqual(new Set(tokens).size, owners, "concurrent acquires give distinct tokens")
  const [row] = yield* store.list(group)
  const last = lives.find(({ token }) => token === row?.token)
  const best = lives.toSorted((left, right) => right.token - left.token)[0]
  // A lost answer to the very last acquire leaves a token that nobody knows: then nobody is the owner, and it is taken again.
  if (last !== undefined) assert.strictEqual(last.written.length, writes, "every write of the last owner counts")
  assert.isTrue(row !== undefined && row.token >= (best?.token ?? Infinity))
  const places = lives.flatMap(({ written }) => written)
  assert.isAtLeast(
    row === undefined ? 0 : placeOf(row.position),
    Math.max(0, ...places),
    "nothing acknowledged is undone"
  )
})
