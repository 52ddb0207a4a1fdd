/**
 * The states of projections beside the journal.
 *
 * @since 0.1.0
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"

import type { JournalError } from "../../Journal.ts"
import type { ViewId } from "../../View.ts"
import { append, draft, freshName, oddStrings } from "./world.ts"
import type { Must, World } from "./world.ts"

/** A view of nobody else's; gone after the test, so that it holds back no pruning. */
const withView = <A>(
  { journal, worker }: World,
  body: (view: ViewId) => Effect.Effect<A, JournalError>
): Effect.Effect<A, JournalError> => {
  const view = { name: freshName(), version: 1, worker }
  return Effect.ensuring(body(view), Effect.ignore(journal.views.drop(view)))
}

/**
 * What the view store must do.
 *
 * @category testing
 * @since 0.1.0
 */
export const views = (must: Must): void => {
  must("a view begins at position 0, once", (world) =>
    withView(world, (view) =>
      Effect.gen(function* () {
        const { views } = world.journal
        const first = yield* views.stand(view)
        assert.strictEqual(first.position, 0)
        assert.deepStrictEqual(yield* views.stand(view), first)
        assert.deepStrictEqual(yield* views.states(view, ["a"]), [undefined])
      })
    )
  )

  must("many that ask at once for a new view get the same generation", (world) =>
    withView(world, (view) =>
      Effect.gen(function* () {
        const { views } = world.journal
        const stands = yield* Effect.forEach([1, 2, 3, 4, 5, 6], () => views.stand(view), { concurrency: "unbounded" })
        assert.lengthOf(new Set(stands.map(({ generation }) => generation)), 1)
      })
    )
  )

  must("states are read back in the order of the keys, and a state can be taken away", (world) =>
    withView(world, (view) =>
      Effect.gen(function* () {
        const { views } = world.journal
        const first = yield* append(world, "a", 0, [draft("1"), draft("2")])
        const begun = yield* views.stand(view)
        assert.isTrue(
          yield* views.advance(view, begun, first, [
            ["a", "1"],
            ["b", "2"]
          ])
        )
        assert.deepStrictEqual(yield* views.states(view, ["b", "none", "a", "b"]), ["2", undefined, "1", "2"])
        assert.deepStrictEqual(yield* views.states(view, []), [])
        const then = yield* views.stand(view)
        assert.deepStrictEqual(then, { ...begun, position: first })
        assert.isTrue(
          yield* views.advance(view, then, first + 1, [
            ["a", undefined],
            ["b", "3"],
            ["never", undefined]
          ])
        )
        assert.deepStrictEqual(yield* views.states(view, ["a", "b", "never"]), [undefined, "3", undefined])
      })
    )
  )

  must("keys and states are kept exactly", (world) =>
    withView(world, (view) =>
      Effect.gen(function* () {
        const { views } = world.journal
        const rows = oddStrings.map((odd, index) => [odd, `${index}${odd}`] as const)
        const begun = yield* views.stand(view)
        assert.isTrue(yield* views.advance(view, begun, 1, [...rows, ["large", "x".repeat(300_000)]]))
        assert.deepStrictEqual(
          yield* views.states(view, oddStrings),
          rows.map(([, state]) => state)
        )
        assert.strictEqual((yield* views.states(view, ["large"]))[0]?.length, 300_000)
      })
    )
  )

  must("an advance of a thousand states is one", (world) =>
    withView(world, (view) =>
      Effect.gen(function* () {
        const { views } = world.journal
        const keys = Array.from({ length: 1_000 }, (_, index) => `k${index}`)
        assert.isTrue(
          yield* views.advance(
            view,
            yield* views.stand(view),
            1,
            keys.map((key) => [key, key] as const)
          )
        )
        assert.deepStrictEqual(yield* views.states(view, keys), keys)
      })
    )
  )

  must("an advance from where the view no longer stands does nothing", (world) =>
    withView(world, (view) =>
      Effect.gen(function* () {
        const { views } = world.journal
        const begun = yield* views.stand(view)
        assert.isTrue(yield* views.advance(view, begun, 5, [["a", "1"]]))
        assert.isFalse(
          yield* views.advance(view, begun, 6, [
            ["a", "2"],
            ["b", "2"]
          ])
        )
        assert.deepStrictEqual(yield* views.states(view, ["a", "b"]), ["1", undefined])
        assert.strictEqual((yield* views.stand(view)).position, 5)
      })
    )
  )

  must("of many that fold the same entries one writes", (world) =>
    withView(world, (view) =>
      Effect.gen(function* () {
        const { views } = world.journal
        const begun = yield* views.stand(view)
        const moved = yield* Effect.forEach(
          [1, 2, 3, 4, 5, 6, 7, 8],
          (who) =>
            views.advance(view, begun, 3, [
              ["a", String(who)],
              [`by ${who}`, "x"]
            ]),
          { concurrency: "unbounded" }
        )
        const winner = moved.indexOf(true) + 1
        assert.lengthOf(
          moved.filter((one) => one),
          1
        )
        assert.deepStrictEqual(yield* views.states(view, ["a", ...moved.map((_, index) => `by ${index + 1}`)]), [
          String(winner),
          ...moved.map((_, index) => (index + 1 === winner ? "x" : undefined))
        ])
      })
    )
  )

  must("views of another name or version are others", (world) =>
    withView(world, (view) =>
      withView(world, (other) =>
        Effect.gen(function* () {
          const { views } = world.journal
          const next = { ...view, version: 2 }
          yield* views.advance(view, yield* views.stand(view), 3, [["a", "1"]])
          assert.strictEqual((yield* views.stand(next)).position, 0)
          assert.strictEqual((yield* views.stand(other)).position, 0)
          yield* views.advance(next, yield* views.stand(next), 7, [["a", "2"]])
          assert.deepStrictEqual(yield* views.states(view, ["a"]), ["1"])
          assert.deepStrictEqual(yield* views.states(next, ["a"]), ["2"])
          assert.deepStrictEqual(yield* views.states(other, ["a"]), [undefined])
          yield* views.drop(next)
          assert.deepStrictEqual(yield* views.states(view, ["a"]), ["1"])
        })
      )
    )
  )

  must("a rebuild goes on beside the view that serves, and takes its place at once", (world) =>
    withView(world, (view) =>
      Effect.gen(function* () {
        const { views } = world.journal
        const old = yield* views.stand(view)
        yield* views.advance(view, old, 3, [
          ["a", "old"],
          ["gone", "old"]
        ])
        const begun = yield* views.begin(view)
        assert.strictEqual(begun.position, 0)
        assert.notStrictEqual(begun.generation, old.generation)
        assert.deepStrictEqual(yield* views.states(view, ["a"], begun.generation), [undefined])
        assert.isTrue(yield* views.advance(view, begun, 3, [["a", "new"]]))
        assert.deepStrictEqual(yield* views.states(view, ["a", "gone"]), ["old", "old"])
        assert.deepStrictEqual(yield* views.states(view, ["a"], begun.generation), ["new"])
        assert.deepStrictEqual(yield* views.stand(view), { ...old, position: 3 })
        // The one that serves goes on meanwhile.
        assert.isTrue(yield* views.advance(view, { ...old, position: 3 }, 4, [["a", "older"]]))
        assert.isTrue(yield* views.swap(view, begun.generation))
        assert.deepStrictEqual(yield* views.states(view, ["a", "gone"]), ["new", undefined])
        assert.deepStrictEqual(yield* views.stand(view), { ...begun, position: 3 })
        // Who still folds the old one finds it gone.
        assert.isFalse(yield* views.advance(view, { ...old, position: 4 }, 5, [["a", "oldest"]]))
        assert.deepStrictEqual(yield* views.states(view, ["a"]), ["new"])
        assert.isTrue(yield* views.advance(view, { ...begun, position: 3 }, 5, [["a", "newer"]]))
      })
    )
  )

  must("a rebuild that was begun and never served is dropped by the next one", (world) =>
    withView(world, (view) =>
      Effect.gen(function* () {
        const { views } = world.journal
        const old = yield* views.stand(view)
        yield* views.advance(view, old, 3, [["a", "old"]])
        const abandoned = yield* views.begin(view)
        yield* views.advance(view, abandoned, 2, [["a", "half"]])
        const begun = yield* views.begin(view)
        assert.notStrictEqual(begun.generation, abandoned.generation)
        assert.isFalse(yield* views.advance(view, { ...abandoned, position: 2 }, 3, [["a", "late"]]))
        assert.isFalse(yield* views.swap(view, abandoned.generation))
        assert.deepStrictEqual(yield* views.states(view, ["a"]), ["old"])
        assert.deepStrictEqual(yield* views.states(view, ["a"], begun.generation), [undefined])
        assert.isTrue(yield* views.swap(view, begun.generation))
      })
    )
  )

  must("a view that was dropped begins anew", (world) =>
    withView(world, (view) =>
      Effect.gen(function* () {
        const { views } = world.journal
        yield* views.advance(view, yield* views.stand(view), 3, [["a", "1"]])
        yield* views.drop(view)
        assert.strictEqual((yield* views.stand(view)).position, 0)
        assert.deepStrictEqual(yield* views.states(view, ["a"]), [undefined])
        yield* views.drop(view)
        yield* views.drop(view)
      })
    )
  )
}
