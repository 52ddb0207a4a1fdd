import { assert, describe, it } from "@effect/vitest"

import * as Ratings from "../../src/engine/Ratings.ts"

const ids = (ratings: Ratings.Ratings, rows: Ratings.Rows, u: number): Array<number> =>
  Array.from(Ratings.row(rows, u), (item) => ratings.itemIds[item] ?? -1)

describe("the compact ratings", () => {
  it("number users and items by ascending id and keep each user's items oldest first", () => {
    const ratings = Ratings.make([
      { userId: 9, itemId: 30, rating: 5, time: 2 },
      { userId: 4, itemId: 20, rating: 4, time: 7 },
      { userId: 9, itemId: 10, rating: 4, time: 3 }
    ])
    assert.deepStrictEqual([...ratings.userIds], [4, 9])
    assert.deepStrictEqual([...ratings.itemIds], [10, 20, 30])
    assert.deepStrictEqual(ids(ratings, ratings.positives, 1), [30, 10])
  })

  it("hold a disliked film as seen, not as liked", () => {
    const ratings = Ratings.make([
      { userId: 1, itemId: 1, rating: 3.5 },
      { userId: 1, itemId: 2, rating: 4 }
    ])
    assert.deepStrictEqual(ids(ratings, ratings.positives, 0), [2])
    assert.deepStrictEqual(ids(ratings, ratings.seen, 0), [1, 2])
  })

  it("count the later of two ratings of one film by one user", () => {
    const ratings = Ratings.make([
      { userId: 1, itemId: 1, rating: 1, time: 8 },
      { userId: 2, itemId: 1, rating: 5, time: 1 },
      { userId: 1, itemId: 1, rating: 5, time: 3 }
    ])
    assert.deepStrictEqual(ids(ratings, ratings.positives, 0), [])
    assert.deepStrictEqual(ids(ratings, ratings.seen, 0), [1])
    assert.deepStrictEqual(ids(ratings, ratings.positives, 1), [1])
  })

  it("know the films that nobody rated, when they are named", () => {
    const ratings = Ratings.make([{ userId: 1, itemId: 7, rating: 5 }], { items: [3, 7, 11] })
    assert.deepStrictEqual([...ratings.itemIds], [3, 7, 11])
    assert.deepStrictEqual(ids(ratings, ratings.seen, 0), [7])
  })

  it("may be empty", () => {
    const ratings = Ratings.make([])
    assert.strictEqual(ratings.userIds.length, 0)
    assert.deepStrictEqual([...ratings.seen.offsets], [0])
  })

  it("give back the same rows when transposed twice", () => {
    const rows = { offsets: Int32Array.of(0, 2, 2, 5), values: Int32Array.of(0, 3, 1, 2, 3) }
    const back = Ratings.transpose(Ratings.transpose(rows, 4), 3)
    assert.deepStrictEqual(back, rows)
  })
})
