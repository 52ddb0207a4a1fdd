/**
 * What every {@link Checkpoint.CheckpointStore} must do, as tests.
 *
 * **Details**
 *
 * Every test has a group of its own, so a server may be shared. Nothing depends on the time.
 *
 * **Example** (A test file of an implementation)
 *
 * ```ts no-run
 * import * as Checkpoint from "@leat/transport-kinesis/Checkpoint"
 * import * as CheckpointSuite from "@leat/transport-kinesis/testing/CheckpointSuite"
 *
 * CheckpointSuite.suite("memory", Checkpoint.layerMemory)
 * ```
 *
 * @since 0.1.0
 */
import { describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"

import { CheckpointStore } from "../Checkpoint.ts"
import { births } from "./checkpointSuite/births.ts"
import { groups } from "./checkpointSuite/groups.ts"
import { keeping } from "./checkpointSuite/keeping.ts"
import { many } from "./checkpointSuite/many.ts"
import { owners } from "./checkpointSuite/owners.ts"
import { History, play } from "./checkpointSuite/random.ts"
import { freshGroup } from "./checkpointSuite/World.ts"
import type { Must } from "./checkpointSuite/World.ts"

/**
 * Declares the tests of a store.
 *
 * @category testing
 * @since 0.1.0
 */
export const suite = <E>(
  name: string,
  store: Layer.Layer<CheckpointStore, E>,
  options: {
    /** Random histories to play. Default 50. */
    readonly runs?: number | undefined
    /** Milliseconds a test may take. Default 10 s. */
    readonly timeout?: number | undefined
  } = {}
): void => {
  const { runs = 50, timeout = 10_000 } = options
  layer(store, { excludeTestServices: true })(`CheckpointStore on ${name}`, (it) => {
    const must: Must = (sentence, body) =>
      it.effect(
        sentence,
        () => Effect.flatMap(CheckpointStore, (store) => body({ store, group: freshGroup() })),
        timeout
      )
    describe("a group", () => {
      groups(must)
    })
    describe("a first position", () => {
      births(must)
    })
    describe("an owner", () => {
      owners(must)
    })
    describe("what is written", () => {
      keeping(must)
    })
    describe("many shards", () => {
      many(must)
    })
    it.effect.prop(
      "T30, T32, T33: over random interleavings of owners and lost answers, each answer is the model's",
      [History],
      ([history]) => Effect.flatMap(CheckpointStore, (store) => play(store, freshGroup(), history)),
      { timeout, arbitrary: { runs } }
    )
  })
}
