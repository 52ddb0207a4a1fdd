import { assert, describe, it } from "@effect/vitest"
import * as Journal from "@leat/core/Journal"
import * as Projection from "@leat/core/Projection"
import * as Retention from "@leat/core/Retention"
import * as View from "@leat/core/View"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

const draft = (id: string): Journal.Draft => ({
  type: "Ordered",
  id,
  source: { partition: "0", position: id, partitionKey: "", arrival: 0 },
  bytes: new Uint8Array(),
  outcome: { _tag: "Handled", emitted: [] },
  attempts: 1,
  duration: 0,
  workerVersion: undefined
})

const append = (key: string, expected: number, ...ids: ReadonlyArray<string>) =>
  Effect.flatMap(Journal.Journal, ({ commit }) => commit("shop", [{ key, expected, entries: ids.map(draft) }]))

/** The ids of each key, in the order they were folded; `mark` says by which code. */
const seenBy = (version: number, mark = "") =>
  Projection.make("seen", {
    version,
    worker: "shop",
    state: Schema.Array(Schema.String),
    keys: (entry) => [entry.key],
    fold: (seen = [], entry) => [...seen, `${entry.id}${mark}`]
  })

const stateOf = <A>(projection: Projection.Projection<A>, key: string) =>
  Effect.map(View.get(projection, key), Option.getOrUndefined)

const upTo = (count: number) => Array.from({ length: count }, (_, index) => String(index))

/** Lets every fiber that can run, run. */
const settled = Effect.forEach(Array.from({ length: 50 }), () => Effect.yieldNow, { discard: true })

const started = Effect.forkChild({ startImmediately: true })

const memory = Effect.provide(Journal.layerMemory)

describe("a view", () => {
  it.effect("has no state of a key that nothing was said of", () =>
    Effect.gen(function* () {
      assert.isTrue(Option.isNone(yield* View.get(seenBy(1), "a")))
    }).pipe(memory)
  )

  it.effect("is caught up over any length, and again folds only what is new", () =>
    Effect.gen(function* () {
      let folds = 0
      const counting = Projection.make("counting", {
        version: 1,
        state: Schema.Int,
        keys: (entry) => [entry.key],
        fold: (count = 0) => {
          folds += 1
          return count + 1
        }
      })
      yield* append("a", 0, ...upTo(1_700))
      assert.strictEqual((yield* View.catchUp(counting)).position, 1_700)
      yield* append("a", 1_700, "more")
      yield* View.catchUp(counting)
      yield* View.catchUp(counting)
      assert.deepStrictEqual([yield* stateOf(counting, "a"), folds], [1_701, 1_701])
    }).pipe(memory)
  )

  it.effect("folded inline shows a commit as soon as it is answered", () =>
    Effect.gen(function* () {
      const seen = seenBy(1)
      yield* append("a", 0, "1", "2")
      assert.deepStrictEqual(yield* stateOf(seen, "a"), ["1", "2"])
    }).pipe(Effect.provide(Layer.fresh(Journal.layerMemory).pipe(Layer.provide(Projection.layerInline([seenBy(1)])))))
  )

  it.effect("that is followed comes after the commits, each entry once", () =>
    Effect.gen(function* () {
      const seen = seenBy(1)
      yield* append("a", 0, "1")
      const follower = yield* started(View.follow(seen))
      yield* settled
      yield* append("a", 1, "2", "3")
      yield* append("b", 0, "1")
      yield* settled
      assert.deepStrictEqual([yield* stateOf(seen, "a"), yield* stateOf(seen, "b")], [["1", "2", "3"], ["1"]])
      yield* Fiber.interrupt(follower)
      yield* append("a", 3, "4")
      yield* settled
      assert.deepStrictEqual(yield* stateOf(seen, "a"), ["1", "2", "3"])
      yield* started(View.follow(seen))
      yield* settled
      assert.deepStrictEqual(yield* stateOf(seen, "a"), ["1", "2", "3", "4"])
    }).pipe(memory)
  )

  it.effect("of several followers is folded once, also when one of them dies", () =>
    Effect.gen(function* () {
      const seen = seenBy(1)
      const journal = yield* Journal.Journal
      // Each takes its time between reading states and writing them.
      const slow = Journal.Journal.of({
        ...journal,
        views: {
          ...journal.views,
          advance: (...args) => Effect.andThen(Effect.yieldNow, journal.views.advance(...args))
        }
      })
      const followers = yield* Effect.forEach([1, 2, 3], () =>
        started(Effect.provideService(View.follow(seen), Journal.Journal, slow))
      )
      for (const round of upTo(20)) {
        yield* append("a", Number(round), round)
        if (round === "10" && followers[0] !== undefined) yield* Fiber.interrupt(followers[0])
        if (Number(round) % 3 === 0) yield* settled
      }
      yield* settled
      assert.deepStrictEqual(yield* stateOf(seen, "a"), upTo(20))
    }).pipe(memory)
  )

  it.effect("of another version stands beside the old one until that is dropped", () =>
    Effect.gen(function* () {
      yield* append("a", 0, "1", "2")
      yield* View.catchUp(seenBy(1))
      yield* append("a", 2, "3")
      yield* View.catchUp(seenBy(2, "!"))
      assert.deepStrictEqual(yield* stateOf(seenBy(1), "a"), ["1", "2"])
      assert.deepStrictEqual(yield* stateOf(seenBy(2), "a"), ["1!", "2!", "3!"])
      yield* View.catchUp(seenBy(1))
      assert.deepStrictEqual(yield* stateOf(seenBy(1), "a"), ["1", "2", "3"])
      yield* Effect.flatMap(Journal.Journal, ({ views }) => views.drop(seenBy(1)))
      assert.isUndefined(yield* stateOf(seenBy(1), "a"))
      assert.deepStrictEqual(yield* stateOf(seenBy(2), "a"), ["1!", "2!", "3!"])
    }).pipe(memory)
  )

  it.effect("whose fold throws dies with it and stays where it was: mended, it goes on and lacks nothing", () =>
    Effect.gen(function* () {
      const buggy = Projection.make("seen", {
        version: 1,
        worker: "shop",
        state: Schema.Array(Schema.String),
        keys: (entry) => [entry.key],
        fold: (seen = [], entry) => {
          if (entry.id === "3") throw new TypeError("a bug in the fold")
          return [...seen, entry.id]
        }
      })
      yield* append("a", 0, "1", "2")
      yield* View.catchUp(buggy)
      const follower = yield* started(View.follow(buggy))
      yield* settled
      yield* append("a", 2, "3", "4")
      assert.isTrue(Exit.hasDies(yield* Fiber.await(follower)))
      assert.isTrue(Exit.hasDies(yield* Effect.exit(View.catchUp(buggy))))
      assert.deepStrictEqual(yield* stateOf(buggy, "a"), ["1", "2"])
      yield* View.catchUp(seenBy(1))
      assert.deepStrictEqual(yield* stateOf(seenBy(1), "a"), ["1", "2", "3", "4"])
    }).pipe(memory)
  )
})

describe("a rebuild", () => {
  it.effect("serves the old states until the new ones are all there", () =>
    Effect.gen(function* () {
      yield* append("a", 0, "1", "2")
      yield* View.catchUp(seenBy(1, " wrong"))
      const journal = yield* Journal.Journal
      const during: Array<unknown> = []
      const watched = Journal.Journal.of({
        ...journal,
        views: {
          ...journal.views,
          advance: (...args) =>
            Effect.tap(journal.views.advance(...args), () =>
              Effect.map(Effect.provideService(stateOf(seenBy(1), "a"), Journal.Journal, journal), (state) =>
                during.push(state)
              )
            )
        }
      })
      yield* Effect.provideService(View.rebuild(seenBy(1)), Journal.Journal, watched)
      assert.deepStrictEqual(during, [["1 wrong", "2 wrong"]])
      assert.deepStrictEqual(yield* stateOf(seenBy(1), "a"), ["1", "2"])
    }).pipe(memory)
  )

  it.effect("takes in what is committed while it goes on, and followers go on with the new states", () =>
    Effect.gen(function* () {
      yield* append("a", 0, ...upTo(1_200))
      yield* View.catchUp(seenBy(1, " wrong"))
      yield* started(View.follow(seenBy(1)))
      yield* settled
      const journal = yield* Journal.Journal
      let version = 1_200
      const busy = Journal.Journal.of({
        ...journal,
        views: {
          ...journal.views,
          advance: (...args) =>
            Effect.tap(journal.views.advance(...args), () =>
              version >= 1_206
                ? Effect.void
                : Effect.andThen(
                    Effect.provideService(append("a", version, String(version++)), Journal.Journal, journal),
                    settled
                  )
            )
        }
      })
      yield* Effect.provideService(View.rebuild(seenBy(1)), Journal.Journal, busy)
      yield* append("a", version, String(version))
      yield* settled
      assert.deepStrictEqual(yield* stateOf(seenBy(1), "a"), upTo(version + 1))
    }).pipe(memory)
  )

  it.effect("loses nothing that a follower folded into the old states just before they were exchanged", () =>
    Effect.gen(function* () {
      const seen = seenBy(1)
      yield* append("a", 0, "1")
      yield* started(View.follow(seen))
      yield* settled
      const journal = yield* Journal.Journal
      const within = Effect.provideService(Journal.Journal, journal)
      const racing = Journal.Journal.of({
        ...journal,
        views: {
          ...journal.views,
          swap: (view, generation) =>
            Effect.gen(function* () {
              // The rebuild's last pass is over: an entry comes, and the follower is faster than the exchange …
              yield* within(append("a", 1, "2"))
              yield* settled
              const served = yield* journal.views.swap(view, generation)
              // … and faster than what the rebuild does after it.
              yield* within(append("a", 2, "3"))
              yield* settled
              return served
            })
        }
      })
      yield* Effect.provideService(View.rebuild(seen), Journal.Journal, racing)
      yield* settled
      assert.deepStrictEqual(yield* stateOf(seen, "a"), ["1", "2", "3"])
    }).pipe(memory)
  )

  it.effect("that another rebuild overtook leaves the view right", () =>
    Effect.gen(function* () {
      yield* append("a", 0, ...upTo(1_200))
      yield* View.catchUp(seenBy(1, " wrong"))
      const journal = yield* Journal.Journal
      const slow = Journal.Journal.of({
        ...journal,
        views: {
          ...journal.views,
          begin: (view) => Effect.tap(journal.views.begin(view), () => Effect.yieldNow),
          advance: (...args) => Effect.andThen(Effect.yieldNow, journal.views.advance(...args))
        }
      })
      yield* Effect.forEach([1, 2], () => Effect.provideService(View.rebuild(seenBy(1)), Journal.Journal, slow), {
        concurrency: "unbounded"
      })
      const state = yield* stateOf(seenBy(1), "a")
      assert.deepStrictEqual([state?.length, state?.[0], state?.at(-1)], [1_200, "0", "1199"])
    }).pipe(memory)
  )

  it.effect("that died half-way leaves what serves, and the next one begins anew", () =>
    Effect.gen(function* () {
      yield* append("a", 0, ...upTo(1_200))
      yield* View.catchUp(seenBy(1, " wrong"))
      const journal = yield* Journal.Journal
      let pages = 0
      const dying = Journal.Journal.of({
        ...journal,
        views: {
          ...journal.views,
          advance: (...args) => ((pages += 1) === 2 ? Effect.die("killed") : journal.views.advance(...args))
        }
      })
      yield* Effect.exit(Effect.provideService(View.rebuild(seenBy(1)), Journal.Journal, dying))
      assert.strictEqual((yield* stateOf(seenBy(1), "a"))?.[0], "0 wrong")
      yield* View.rebuild(seenBy(1))
      assert.deepStrictEqual(yield* stateOf(seenBy(1), "a"), upTo(1_200))
    }).pipe(memory)
  )

  it.effect("of a view that is folded inline goes on beside the commits", () =>
    Effect.gen(function* () {
      yield* append("a", 0, "1", "2")
      const journal = yield* Journal.Journal
      let version = 2
      const busy = Journal.Journal.of({
        ...journal,
        views: {
          ...journal.views,
          swap: (...args) =>
            Effect.andThen(
              Effect.provideService(append("a", version++, "3"), Journal.Journal, journal),
              journal.views.swap(...args)
            )
        }
      })
      yield* Effect.provideService(View.rebuild(seenBy(1)), Journal.Journal, busy)
      assert.deepStrictEqual(yield* stateOf(seenBy(1), "a"), ["1", "2", "3"])
      yield* append("a", 3, "4")
      assert.deepStrictEqual(yield* stateOf(seenBy(1), "a"), ["1", "2", "3", "4"])
    }).pipe(Effect.provide(Layer.fresh(Journal.layerMemory).pipe(Layer.provide(Projection.layerInline([seenBy(1)])))))
  )
})

describe("retention", () => {
  it.live("keeps what a view has not folded, and goes by age", () =>
    Effect.gen(function* () {
      const seen = seenBy(1)
      yield* View.catchUp(seen)
      yield* append("a", 0, "1", "2")
      yield* Effect.sleep(5)
      assert.deepStrictEqual(yield* Retention.prune({ forgetAfter: 1 }), { compacted: 0, forgotten: 0 })
      yield* View.catchUp(seen)
      assert.deepStrictEqual(yield* Retention.prune({ forgetAfter: "1 hour", compactAfter: 1 }), {
        compacted: 2,
        forgotten: 0
      })
      assert.deepStrictEqual(yield* Retention.prune({ forgetAfter: 1 }), { compacted: 0, forgotten: 2 })
      assert.deepStrictEqual(yield* Stream.runCollect((yield* Journal.Journal).read(0)), [])
      assert.deepStrictEqual(yield* stateOf(seen, "a"), ["1", "2"])
    }).pipe(memory)
  )
})
