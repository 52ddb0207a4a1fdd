import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import * as Catalog from "../../src/engine/Catalog.ts"
import * as Engine from "../../src/engine/Engine.ts"
import * as Ratings from "../../src/engine/Ratings.ts"
import * as Scorer from "../../src/engine/Scorer.ts"
import { train } from "../../src/engine/train.ts"

const catalog = Catalog.make({ seed: 3, users: 60, items: 120 })
const ratings = Catalog.ratings(catalog)
// Capped, so that both trained items and items with popularity alone take part in every test.
const model = train(ratings, { maxItems: 80 })
const engine = () => Engine.make({ model, ratings, movies: catalog.movies })

const seenBy = (userId: number): ReadonlySet<number> =>
  new Set(catalog.ratings.filter((rating) => rating.userId === userId).map((rating) => rating.itemId))

const UserId = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 70 }))
const ItemId = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 120 }))

describe("the engine", () => {
  it("gives a stranger the films that most people like", () => {
    assert.deepStrictEqual(engine().popular(10), engine().recommend(999_999, 10))
    assert.strictEqual(engine().popular(10).length, 10)
  })

  it.prop(
    "never recommends a film the user has seen, rated or recorded, nor one twice",
    {
      userId: UserId,
      recorded: Schema.Array(Schema.Struct({ itemId: ItemId, kind: Schema.Literals(["liked", "seen"]) })),
      topN: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 150 }))
    },
    ({ recorded, topN, userId }) => {
      const subject = engine()
      const seen = new Set(seenBy(userId))
      for (const { itemId, kind } of recorded) {
        assert.isTrue(subject.record(userId, itemId, kind))
        seen.add(itemId)
        const list = subject.recommend(userId, topN)
        assert.isFalse(list.some((id) => seen.has(id)))
        assert.strictEqual(new Set(list).size, list.length)
      }
      assert.strictEqual(subject.recommend(userId, topN).length, Math.min(topN, 120 - seen.size))
    },
    { arbitrary: { runs: 40 } }
  )

  it.prop(
    "orders by score, then by id, and each score is the sum of its explanation",
    { userId: UserId },
    ({ userId }) => {
      const subject = engine()
      const list = subject.recommend(userId, 120)
      const explained = list.map((id) => Option.getOrThrow(subject.explain(userId, id)))
      for (const { because, popularity, score } of explained) {
        assert.approximately(because.reduce((sum, { weight }) => sum + weight, 0) + popularity, score, 1e-12)
      }
      const resorted = list
        .map((id, k) => ({ id, score: explained[k]?.score ?? NaN }))
        .toSorted((a, b) => (Math.abs(a.score - b.score) < 1e-9 ? a.id - b.id : b.score - a.score))
      assert.deepStrictEqual(
        resorted.map(({ id }) => id),
        list
      )
    },
    { arbitrary: { runs: 20 } }
  )

  it("gives the popularity list to a user it doesn't know", () => {
    const likers = new Map<number, number>()
    for (const { itemId, rating } of catalog.ratings) {
      if (rating >= 4) likers.set(itemId, (likers.get(itemId) ?? 0) + 1)
    }
    const byLikers = catalog.movies
      .map(({ id }) => id)
      .toSorted((a, b) => (likers.get(b) ?? 0) - (likers.get(a) ?? 0) || a - b)
    assert.deepStrictEqual(engine().recommend(999, 30), byLikers.slice(0, 30))
    const plain = Engine.make({ model: { ...model, beta: 0 }, ratings })
    assert.deepStrictEqual(plain.recommend(999, 30), byLikers.slice(0, 30))
  })

  it("answers with a shorter list when fewer are left, and with none when none are", () => {
    const subject = engine()
    assert.strictEqual(subject.recommend(999, 1000).length, 120)
    for (const { id } of catalog.movies) subject.record(999, id, "seen")
    assert.deepStrictEqual(subject.recommend(999, 20), [])
    for (const nonsense of [0, -1, NaN]) assert.deepStrictEqual(subject.recommend(1, nonsense), [])
  })

  it("uses a recorded like in the next answer", () => {
    const subject = engine()
    const before = subject.recommend(999, 20)
    assert.isTrue(subject.record(999, before[0] ?? 0))
    const explanation = Option.getOrThrow(subject.explain(999, before[1] ?? 0))
    assert.deepStrictEqual(
      explanation.because.map(({ itemId }) => itemId),
      [before[0]]
    )
    assert.strictEqual(subject.users, 61)
    assert.notDeepEqual(subject.recommend(999, 20), before.slice(1))
  })

  it("takes a like back when the film is recorded as merely seen", () => {
    const subject = engine()
    subject.record(999, 5, "liked")
    subject.record(999, 5, "seen")
    assert.deepStrictEqual(Option.getOrThrow(subject.explain(999, 6)).because, [])
  })

  it("refuses to record a film it doesn't know", () => {
    const subject = engine()
    assert.isFalse(subject.record(1, 121))
    assert.deepStrictEqual(subject.recommend(1, 20), engine().recommend(1, 20))
    assert.isTrue(Option.isNone(subject.explain(1, 121)))
  })

  it("uses the latest likes up to the cap, and still never shows what was cut off", () => {
    const subject = Engine.make({ model, ratings, historyCap: 2 })
    const [a = 0, b = 0, c = 0] = subject.recommend(999, 3)
    for (const id of [a, b, c]) subject.record(999, id)
    const left = subject.recommend(999, 120)
    const { because } = Option.getOrThrow(subject.explain(999, left[0] ?? 0))
    assert.sameMembers(
      because.map(({ itemId }) => itemId),
      [b, c].filter((id) => model.trained.includes(id - 1))
    )
    assert.isFalse(left.includes(a))
  })

  it("serves ratings that are newer than its model", () => {
    const old = train(Ratings.make(catalog.ratings.filter(({ itemId }) => itemId % 2 === 0)))
    const subject = Engine.make({ model: old, ratings })
    for (let userId = 1; userId <= 60; userId++) {
      const seen = seenBy(userId)
      const left = Array.from(old.itemIds).filter((id) => !seen.has(id))
      assert.sameMembers([...subject.recommend(userId, 120)], left)
    }
  })

  it("knows its films", () => {
    const subject = engine()
    assert.deepStrictEqual(subject.movie(1), Option.fromUndefinedOr(catalog.movies[0]))
    assert.isTrue(Option.isNone(subject.movie(0)))
    assert.strictEqual(subject.items, 120)
    assert.strictEqual(subject.version, model.version)
  })
})

describe("the scorer", () => {
  it("orders equal scores by id, also between trained items and the others", () => {
    const flat = {
      version: "flat",
      lambda: 1,
      beta: 0.5,
      users: 2,
      itemIds: Int32Array.of(10, 20, 30, 40),
      popularity: Float32Array.of(0.5, 0.5, 0.5, 0.5),
      trained: Int32Array.of(1, 3),
      weights: new Float32Array(4)
    }
    assert.deepStrictEqual(Scorer.make(flat).top([], [], 4), [10, 20, 30, 40])
    assert.deepStrictEqual(Scorer.make(flat).top([1], [1], 2), [10, 30])
  })
})
