import { assert, describe, it } from "@effect/vitest"

import * as Catalog from "../../src/engine/Catalog.ts"
import * as Evaluation from "../../src/engine/Evaluation.ts"
import * as Scorer from "../../src/engine/Scorer.ts"
import { train } from "../../src/engine/train.ts"

describe("the metrics", () => {
  const answer = { ids: [1, 2, 3, 4], wanted: new Set([2, 4, 9]) }

  it("recall is the share of the findable ones that were found", () => {
    assert.strictEqual(Evaluation.recall(answer, 4), 2 / 3)
    assert.strictEqual(Evaluation.recall(answer, 2), 1 / 2)
    assert.strictEqual(Evaluation.recall({ ids: [1], wanted: new Set() }, 5), 0)
  })

  it("NDCG counts a hit less, the later it comes", () => {
    const ideal = 1 + 1 / Math.log2(3) + 1 / 2
    assert.approximately(Evaluation.ndcg(answer, 4), (1 / Math.log2(3) + 1 / Math.log2(5)) / ideal, 1e-12)
    assert.strictEqual(Evaluation.ndcg({ ids: [9, 4, 2], wanted: answer.wanted }, 100), 1)
  })
})

describe("a split", () => {
  const ratings = Catalog.ratings(Catalog.make({ users: 100, items: 200 }))

  it("shows and wants different items, and trains on no held-out user", () => {
    const { cases, train: training } = Evaluation.fold(ratings, 0)
    assert.isAbove(cases.length, 5)
    for (const { history, wanted } of cases) {
      assert.isFalse(history.some((item) => wanted.has(training.itemIds[item] ?? 0)))
    }
    assert.isAtMost(training.userIds.length + cases.length, 90)
  })

  it("holds every user out exactly once over the ten folds", () => {
    const sizes = Array.from({ length: 10 }, (_, f) => Evaluation.fold(ratings, f).cases.length)
    assert.approximately(
      sizes.reduce((sum, size) => sum + size, 0),
      100,
      5
    )
  })
})

describe("gate: on the embedded catalogue", () => {
  const split = Evaluation.holdOut(Catalog.ratings(Catalog.make()), 0.2)
  const model = train(split.train, { lambda: 100 })
  const report = Evaluation.run(model, split.cases)
  const popular = Evaluation.run(model, split.cases, 0)

  it("the model finds at least 0.30 of the wanted in 20, and 1.8 times what popularity finds", () => {
    assert.isAtLeast(report.recall20, 0.3)
    assert.isAtLeast(report.recall20, 1.8 * popular.recall20)
    assert.isAtLeast(report.ndcg100, 1.8 * popular.ndcg100)
  })

  it("the lists differ from user to user", () => {
    assert.isAtLeast(report.coverage20, 0.2)
    assert.isAtMost(report.popular20, 0.3)
    assert.isAtLeast(popular.popular20, 0.8)
  })

  it("one like already helps, because popularity is blended in", () => {
    const plain = Evaluation.run({ ...model, beta: 0 }, split.cases, 1)
    const blended = Evaluation.run(model, split.cases, 1)
    assert.isAbove(blended.recall20, popular.recall20)
    assert.isAbove(blended.ndcg100, plain.ndcg100)
  })

  it("32-bit storage ranks as 64-bit storage does", () => {
    const exact = Scorer.make(train(split.train, { lambda: 100, precision: "float64" }))
    const short = Scorer.make(model)
    for (const { history } of split.cases) {
      assert.deepStrictEqual(short.top(history, history, 20), exact.top(history, history, 20))
    }
  })
})
