import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"

import * as Catalog from "../../src/engine/Catalog.ts"
import * as Matrix from "../../src/engine/Matrix.ts"
import * as Random from "../../src/engine/Random.ts"
import * as Ratings from "../../src/engine/Ratings.ts"
import { defaultLambda, train } from "../../src/engine/train.ts"

const small = Catalog.ratings(Catalog.make({ seed: 7, users: 70, items: 150 }))

const largest = (xs: ArrayLike<number>, ys: ArrayLike<number>): number => {
  let worst = 0
  for (let k = 0; k < xs.length; k++) worst = Math.max(worst, Math.abs((xs[k] ?? NaN) - (ys[k] ?? NaN)))
  return worst
}

/** A random symmetric positive-definite matrix, padded: X'X + 3 I. */
const positiveDefinite = (seed: number, size: number, precision: Matrix.Precision): Matrix.Storage => {
  const random = Random.make(seed)
  const n = Matrix.paddedOrder(size)
  const a = Matrix.identity(n, 3, precision)
  for (let sample = 0; sample < 2 * size; sample++) {
    const x = Array.from({ length: size }, () => random() - 0.5)
    x.forEach((xi, i) => x.forEach((xj, j) => (a[i * n + j] = (a[i * n + j] ?? 0) + xi * xj)))
  }
  return a
}

const distanceFromIdentity = (a: Matrix.Storage, b: Matrix.Storage, n: number): number => {
  let worst = 0
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum = i === j ? -1 : 0
      for (let k = 0; k < n; k++) sum += (a[i * n + k] ?? 0) * (b[k * n + j] ?? 0)
      worst = Math.max(worst, Math.abs(sum))
    }
  }
  return worst
}

describe("the inverse", () => {
  it.prop(
    "times the matrix is the identity, whatever the order",
    { seed: Schema.Int, size: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 70 })) },
    ({ seed, size }) => {
      for (const precision of ["float64", "float32"] as const) {
        const a = positiveDefinite(seed, size, precision)
        const inverse = a.slice()
        const n = Matrix.paddedOrder(size)
        Matrix.invert(inverse, n)
        assert.isBelow(distanceFromIdentity(a, inverse, n), precision === "float64" ? 1e-12 : 1e-4)
      }
    },
    { arbitrary: { runs: 25 } }
  )

  it("holds over several panels", () => {
    const a = positiveDefinite(1, 201, "float64")
    const inverse = a.slice()
    Matrix.invert(inverse, 204)
    assert.isBelow(distanceFromIdentity(a, inverse, 204), 1e-11)
  })
})

describe("a trained model", () => {
  const model = train(small, { form: "primal" })
  const n = model.trained.length

  it("has weights with a zero diagonal", () => {
    assert.isAbove(n, 100)
    for (let i = 0; i < n; i++) assert.strictEqual(model.weights[i * n + i], 0)
    assert.isTrue(model.weights.every(Number.isFinite))
  })

  it("minimises the regularised error: (X'X + lambda I) B = X'X + diagonal", () => {
    // Off the diagonal, the gradient of Steck's objective is zero: G(B - I) + lambda B has only diagonal entries.
    const gram = new Float64Array(n * n)
    for (let u = 0; u < small.userIds.length; u++) {
      const liked = Ratings.row(small.positives, u)
      for (const a of liked)
        for (const b of liked) {
          const at = model.trained.indexOf(a) * n + model.trained.indexOf(b)
          gram[at] = (gram[at] ?? 0) + 1
        }
    }
    let worst = 0
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        if (i === j) continue
        let sum = model.lambda * (model.weights[i * n + j] ?? 0) - (gram[i * n + j] ?? 0)
        for (let k = 0; k < n; k++) sum += (gram[i * n + k] ?? 0) * (model.weights[k * n + j] ?? 0)
        worst = Math.max(worst, Math.abs(sum))
      }
    }
    assert.isBelow(worst, 1e-3)
  })

  it("is the same through the users as through the items", () => {
    const dual = train(small, { form: "dual" })
    assert.isBelow(largest(dual.weights, model.weights), 1e-5)
  })

  it("is the same stored in 32 bits as in 64", () => {
    assert.isBelow(largest(train(small, { form: "primal", precision: "float64" }).weights, model.weights), 1e-5)
  })

  it("has the same version for the same ratings and options, and another for others", () => {
    assert.strictEqual(train(small, { form: "primal" }).version, model.version)
    assert.notStrictEqual(train(small, { form: "primal", lambda: 50 }).version, model.version)
    const one = Ratings.make([{ userId: 1, itemId: 1, rating: 5 }])
    assert.notStrictEqual(train(one).version, model.version)
  })

  it("gives weights to the most liked items only, when they are capped", () => {
    const capped = train(small, { maxItems: 10 })
    const worst = Math.min(...Array.from(capped.trained, (item) => capped.popularity[item] ?? 0))
    const others = [...capped.popularity.keys()].filter((item) => !capped.trained.includes(item))
    assert.strictEqual(capped.weights.length, 100)
    assert.isTrue(others.every((item) => (capped.popularity[item] ?? 0) <= worst))
    assert.isTrue(others.some((item) => (capped.popularity[item] ?? 0) > 0))
  })

  it("knows each item's share of the users who like anything", () => {
    const shares = train(
      Ratings.make([
        { userId: 1, itemId: 1, rating: 5 },
        { userId: 1, itemId: 2, rating: 5 },
        { userId: 2, itemId: 2, rating: 5 },
        { userId: 3, itemId: 1, rating: 1 }
      ])
    )
    assert.strictEqual(shares.users, 2)
    assert.deepStrictEqual([...shares.popularity], [0.5, 1])
  })

  it("can be made of nothing", () => {
    const empty = train(Ratings.make([]))
    assert.strictEqual(empty.weights.length, 0)
    assert.strictEqual(empty.users, 0)
  })

  it("is regularised more, the more users there are", () => {
    assert.deepStrictEqual([10, 600, 940, 6040, 100_000].map(defaultLambda), [100, 100, 134, 800, 800])
  })
})
