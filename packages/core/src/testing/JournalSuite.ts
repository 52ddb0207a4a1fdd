/**
 * What every journal must do: one suite, run against each implementation.
 *
 * **Details**
 *
 * Every test works for workers of its own, so implementations with a real store can share it between tests and runs; the
 * tests of one suite run one after the other, and nothing else may prune that store meanwhile. Nothing depends on the
 * time: the suite runs on the live clock and uses no age but that of its own entries.
 *
 * **Example** (A test file of an implementation)
 *
 * ```ts no-run
 * import * as Journal from "@leat/core/Journal"
 * import * as JournalSuite from "@leat/core/testing/JournalSuite"
 *
 * JournalSuite.suite("memory", Journal.layerMemory)
 * ```
 *
 * @since 0.1.0
 */
import { layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { describe } from "vitest"

import { Journal } from "../Journal.ts"
import { inline } from "./journalSuite/inline.ts"
import { outbox } from "./journalSuite/outbox.ts"
import { resolving, waiting } from "./journalSuite/parking.ts"
import { pruning } from "./journalSuite/pruning.ts"
import { reading, subscribing } from "./journalSuite/reading.ts"
import { committing, keeping, opening } from "./journalSuite/recording.ts"
import { views } from "./journalSuite/views.ts"
import * as World from "./journalSuite/world.ts"

/**
 * Declares the tests of a journal.
 *
 * @category testing
 * @since 0.1.0
 */
export const suite = <E>(
  name: string,
  journal: Layer.Layer<Journal, E>,
  options: {
    /** Milliseconds a test may take. Default 10 s. */
    readonly timeout?: number | undefined
  } = {}
): void => {
  const timeout = options.timeout ?? 10_000
  layer(journal, { excludeTestServices: true })(`Journal (${name})`, (it) => {
    const must: World.Must = (sentence, body) =>
      it.effect(sentence, () => Effect.flatMap(Journal, (service) => body(World.make(service))), timeout)
    describe("an open", () => opening(must))
    describe("a commit", () => committing(must))
    describe("what is written", () => keeping(must))
    describe("a resolution", () => resolving(must))
    describe("what waits parked", () => waiting(must))
    describe("the outbox", () => outbox(must))
    describe("a reader", () => reading(must))
    describe("a subscriber", () => subscribing(must))
    describe("the view store:", () => views(must))
    describe("a pruning", () => pruning(must))
  })
  inline(name, journal, timeout)
}
