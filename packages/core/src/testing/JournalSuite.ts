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
import { faulty } from "./journalSuite/faulty.ts"
import { inline } from "./journalSuite/inline.ts"
import { keeping } from "./journalSuite/keeping.ts"
import { outbox } from "./journalSuite/outbox.ts"
import { resolving, waiting } from "./journalSuite/parking.ts"
import { pruning } from "./journalSuite/pruning.ts"
import { random } from "./journalSuite/random.ts"
import { reading, subscribing } from "./journalSuite/reading.ts"
import { committing, opening } from "./journalSuite/recording.ts"
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
    describe("a worker", () => faulty(must))
  })
  inline(name, journal, timeout)
}

/**
 * Declares a property: whatever history workers are given, and whatever goes wrong around them (crashes at every step, lost
 * answers, outages, another process that does the same work), nothing is lost, a key stays in order, an event has one
 * outcome, and what it emitted goes out in order or waits.
 *
 * @category testing
 * @since 0.1.0
 */
export const properties = <E>(
  name: string,
  journal: Layer.Layer<Journal, E>,
  options: {
    /** Histories to try. Default 100. */
    readonly runs?: number | undefined
    /** Milliseconds for all of them. Default 60 s. */
    readonly timeout?: number | undefined
    /** Tries the same histories each time. Default: others each time; a failure names the seed. */
    readonly seed?: number | undefined
  } = {}
): void => random(name, journal, { runs: options.runs ?? 100, timeout: options.timeout ?? 60_000, seed: options.seed })
