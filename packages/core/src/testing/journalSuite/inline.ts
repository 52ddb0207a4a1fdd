/**
 * Projections that every commit folds in its own transaction.
 *
 * @since 0.1.0
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { Journal } from "../../Journal.ts"
import * as Projection from "../../Projection.ts"
import * as View from "../../View.ts"
import { append, draft, entriesOf, freshName, lane, look, parked, tagOf } from "./world.ts"

/**
 * Runs on a layer of its own, over the same store, so that no other test's commits are folded.
 *
 * @category testing
 * @since 0.1.0
 */
export const inline = <E>(name: string, journal: Layer.Layer<Journal, E>, timeout: number): void => {
  const worker = freshName()
  const counts = Projection.make(freshName(), {
    version: 1,
    worker,
    state: Schema.Array(Schema.String),
    keys: (entry) => [entry.key],
    fold: (seen = [], entry) => {
      if (entry.id === "bug") throw new TypeError("a bug in the fold")
      return entry.id === "reset" ? undefined : [...seen, entry.id]
    }
  })
  const seen = (key: string) => Effect.map(View.get(counts, key), Option.getOrUndefined)

  layer(Layer.fresh(journal).pipe(Layer.provide(Projection.layerInline([counts]))), { excludeTestServices: true })(
    `Journal (${name}): a projection folded inline`,
    (it) => {
      const world = Effect.map(Journal, (journal) => ({ journal, worker, another: freshName }))

      it.effect(
        "shows a commit as soon as it is answered",
        () =>
          Effect.gen(function* () {
            const own = yield* world
            yield* append(own, "a", 0, [draft("1"), draft("2", parked)])
            assert.deepStrictEqual(yield* seen("a"), ["1", "2"])
            yield* append(own, "a", 2, [draft("3")])
            assert.deepStrictEqual(yield* seen("a"), ["1", "2", "3"])
            yield* append(own, "a", 3, [draft("reset")])
            assert.isUndefined(yield* seen("a"))
          }),
        timeout
      )

      it.effect(
        "folds what was committed, not what was refused, and of its worker alone",
        () =>
          Effect.gen(function* () {
            const own = yield* world
            const verdicts = yield* own.journal.commit(worker, [
              lane("b", 3, [draft("no")]),
              lane("c", 0, [draft("yes")])
            ])
            assert.deepStrictEqual(verdicts.map(tagOf), ["conflict", "ok"])
            yield* append({ ...own, worker: freshName() }, "c", 0, [draft("other")])
            assert.deepStrictEqual([yield* seen("b"), yield* seen("c")], [undefined, ["yes"]])
          }),
        timeout
      )

      it.effect(
        "folds every entry once, in order, while many write",
        () =>
          Effect.gen(function* () {
            const own = yield* world
            const upTo = Array.from({ length: 10 }, (_, index) => index)
            yield* Effect.forEach(
              upTo,
              (writer) => Effect.forEach(upTo, (round) => append(own, `w${writer}`, round, [draft(`${round}`)])),
              { concurrency: "unbounded" }
            )
            for (const writer of upTo) assert.deepStrictEqual(yield* seen(`w${writer}`), upTo.map(String))
          }),
        timeout
      )

      it.effect(
        "a fold that throws is a defect of the commit, which then is none: nothing is recorded, and others go on",
        () =>
          Effect.gen(function* () {
            const own = yield* world
            yield* append(own, "d", 0, [draft("1")])
            const before = (yield* entriesOf(own)).length
            const exit = yield* Effect.exit(append(own, "d", 1, [draft("2"), draft("bug")]))
            assert.isTrue(Exit.hasDies(exit), "it dies")
            const { known, version } = yield* look(own, "d", "1", "2", "bug")
            assert.deepStrictEqual([version, known], [1, ["Handled", undefined, undefined]])
            assert.lengthOf(yield* entriesOf(own), before)
            yield* append(own, "d", 1, [draft("2")])
            assert.deepStrictEqual(yield* seen("d"), ["1", "2"])
            yield* (yield* Journal).views.drop(counts)
          }),
        timeout
      )
    }
  )
}
