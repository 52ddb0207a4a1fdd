import { assert, describe, it } from "@effect/vitest"

import * as Catalog from "../../src/engine/Catalog.ts"

const catalog = Catalog.make()

describe("the embedded catalogue", () => {
  it("is the same every time, and another for another seed", () => {
    const options = { users: 20, items: 60 }
    assert.deepStrictEqual(Catalog.make(options), Catalog.make(options))
    assert.notDeepEqual(Catalog.make({ ...options, seed: 43 }), Catalog.make(options))
  })

  it("has 2,000 films with ids from 1, titles that differ, a year and one to three of 18 genres", () => {
    const { movies } = catalog
    assert.deepStrictEqual(
      movies.map(({ id }) => id),
      Array.from({ length: 2000 }, (_, k) => k + 1)
    )
    assert.strictEqual(new Set(movies.map(({ title }) => title)).size, 2000)
    assert.strictEqual(new Set(movies.flatMap(({ genres }) => genres)).size, 18)
    assert.isTrue(movies.every(({ genres }) => genres.length >= 1 && genres.length <= 3))
    assert.isTrue(movies.every(({ year = 0 }) => year >= 1960 && year <= 2024))
  })

  it("has 800 users with at least 20 ratings each, none of a film twice", () => {
    const perUser = Map.groupBy(catalog.ratings, ({ userId }) => userId)
    assert.strictEqual(perUser.size, 800)
    for (const ratings of perUser.values()) {
      assert.isAtLeast(ratings.length, 20)
      assert.strictEqual(new Set(ratings.map(({ itemId }) => itemId)).size, ratings.length)
    }
  })

  it("is rated in half stars, two in five of them a like", () => {
    const stars = catalog.ratings.map(({ rating }) => rating)
    assert.isTrue(stars.every((x) => x >= 0.5 && x <= 5 && Number.isInteger(x * 2)))
    assert.approximately(stars.filter((x) => x >= 4).length / stars.length, 0.42, 0.03)
    assert.isTrue(stars.length > 65_000 && stars.length < 80_000)
  })
})
