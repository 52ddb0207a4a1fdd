/** Entries for tests of a store: only what a test is about is said. */
import type { Draft, Entry, LaneCommit } from "@leat/core/Journal"
import { Journal } from "@leat/core/Journal"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Stream from "effect/Stream"

export const draft = (id: string, options: Partial<Draft> = {}): Draft => ({
  type: "Tested",
  id,
  source: { partition: "0", position: id, partitionKey: "", arrival: 0 },
  bytes: new TextEncoder().encode(id),
  outcome: { _tag: "Handled", emitted: [] },
  attempts: 1,
  duration: 1,
  workerVersion: undefined,
  ...options
})

export const lane = (key: string, expected: number, ...ids: ReadonlyArray<string>): LaneCommit => ({
  key,
  expected,
  entries: ids.map((id) => draft(id))
})

/** A program's own journal: as if each were a process. */
export const program = <E>(layer: Layer.Layer<Journal, E>) => {
  const runtime = ManagedRuntime.make(layer)
  const use = <A, E>(f: (journal: Journal["Service"]) => Effect.Effect<A, E>) =>
    runtime.runPromise(Effect.flatMap(Journal, f))
  return {
    use,
    entries: (...args: Parameters<Journal["Service"]["read"]>): Promise<ReadonlyArray<Entry>> =>
      use((journal) => Stream.runCollect(journal.read(...args))),
    stop: () => runtime.dispose()
  }
}

/** What went wrong when the layer was built. */
export const failure = <E>(layer: Layer.Layer<Journal, E>): Promise<E> =>
  Effect.runPromise(Effect.flip(Effect.scoped(Layer.build(layer))))
