import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import * as Evaluation from "../../src/engine/Evaluation.ts"
import type { Model } from "../../src/engine/Model.ts"
import * as MovieLens from "../../src/engine/MovieLens.ts"
import { train } from "../../src/engine/train.ts"

const folder = process.env["MOVIELENS_DIR"]

if (folder === undefined) {
  process.stdout.write("gate on ml-latest-small: not asked for (set MOVIELENS_DIR to a folder that holds it)\n")
}

const meanOf = (reports: ReadonlyArray<Evaluation.Report>, metric: keyof Evaluation.Report): number => {
  const users = reports.reduce((sum, report) => sum + report.users, 0)
  return reports.reduce((sum, report) => sum + report.users * report[metric], 0) / users
}

describe.skipIf(folder === undefined)("gate: on ml-latest-small (asked for by MOVIELENS_DIR), over ten folds", () => {
  it.live(
    "EASE, popularity and the cold start reach the published figures",
    Effect.fnUntraced(function* () {
      const { ratings } = yield* MovieLens.load(folder ?? "")
      const plain: Array<Evaluation.Report> = []
      const popular: Array<Evaluation.Report> = []
      const blended: Array<Evaluation.Report> = []
      const oneLike: Array<Evaluation.Report> = []
      for (let f = 0; f < 10; f++) {
        const split = Evaluation.fold(ratings, f)
        const model: Model = train(split.train, { lambda: 100, maxItems: 10_000 })
        plain.push(Evaluation.run({ ...model, beta: 0 }, split.cases))
        popular.push(Evaluation.run(model, split.cases, 0))
        blended.push(Evaluation.run(model, split.cases))
        oneLike.push(Evaluation.run(model, split.cases, 1))
      }
      const figures = Object.entries({ plain, popular, blended, oneLike }).map(([name, reports]) => {
        const shown = (["recall10", "recall20", "recall50", "ndcg20", "ndcg100", "coverage20"] as const).map(
          (metric) => `${metric} ${meanOf(reports, metric).toFixed(4)}`
        )
        return `${name}: ${shown.join(", ")}`
      })
      process.stdout.write(`${figures.join("\n")}\n`)
      assert.isAtLeast(meanOf(plain, "ndcg100"), 0.35)
      assert.isAtLeast(meanOf(plain, "recall20"), 0.33)
      assert.isAtLeast(meanOf(blended, "ndcg100"), 0.35)
      // This one pins the split and the metrics, not the model.
      assert.approximately(meanOf(popular, "recall20"), 0.161, 0.002)
      assert.isAbove(meanOf(oneLike, "recall20"), meanOf(popular, "recall20"))
    }),
    180_000
  )
})
