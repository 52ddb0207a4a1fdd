/** Simulated Kinesis events into the handler that is deployed, configured by its environment as on AWS. */
import * as HttpService from "@leat/transport-http/HttpService"
import type * as KinesisLambda from "@leat/transport-kinesis/KinesisLambda"
import * as LambdaEvent from "@leat/transport-kinesis/LambdaEvent"
import * as Effect from "effect/Effect"

import { cases } from "./Cases.ts"
import type { Case } from "./Cases.ts"
import { capture } from "./Output.ts"
import type { Written } from "./Output.ts"
import * as Service from "./Service.ts"

interface Row extends Written {
  readonly asked: Case
  readonly milliseconds: number
  readonly reported: string | undefined
}

/** Its layers read the environment when the module is loaded, so that comes after the variables. */
const load = async (url: string): Promise<KinesisLambda.KinesisLambda> => {
  Object.assign(process.env, { RECOMMENDER_ENDPOINT: url, REDIS_ENABLED: "false" })
  return (await import("kinesis-lambda/src/main.ts")).handler
}

const invokeAll = async (url: string): Promise<ReadonlyArray<Row>> => {
  const output = capture()
  try {
    const handler = await load(url)
    const rows: Array<Row> = []
    for (const asked of cases) {
      const start = performance.now()
      const { batchItemFailures } = await handler({ Records: asked.records }, LambdaEvent.context())
      const milliseconds = performance.now() - start
      rows.push({ asked, milliseconds, reported: batchItemFailures[0]?.itemIdentifier, ...output.take() })
    }
    await handler.close()
    return rows
  } finally {
    output.release()
  }
}

const isRight = ({ asked, hits, misses, reported }: Row): boolean =>
  hits === asked.hits && misses === asked.misses && reported === asked.reported

const print = (...cells: readonly [string, string, string, string, string, string]): void => {
  const [title, records, hits, misses, milliseconds, answer] = cells
  console.log(
    [
      title.padEnd(20),
      records.padStart(7),
      hits.padStart(4),
      misses.padStart(6),
      milliseconds.padStart(7),
      answer
    ].join("  ")
  )
}

const answer = ({ errors, reported }: Row): string =>
  reported === undefined ? "all settled" : `from ${reported} on again: ${errors.join("; ").replaceAll(/\s+/g, " ")}`

const report = (rows: ReadonlyArray<Row>): void => {
  print("case", "records", "hits", "misses", "ms", "answer")
  for (const row of rows) {
    const { asked, hits, milliseconds, misses } = row
    print(asked.title, `${asked.records.length}`, `${hits}`, `${misses}`, milliseconds.toFixed(1), answer(row))
  }
  const wrong = rows.filter((row) => !isRight(row))
  console.log(wrong.length === 0 ? "every answer is right" : `wrong: ${wrong.map((row) => row.asked.title).join(", ")}`)
  process.exitCode = wrong.length === 0 ? 0 : 1
}

const main = Effect.gen(function* () {
  const { url } = yield* HttpService.HttpService
  return yield* Effect.promise(() => invokeAll(url))
}).pipe(Effect.provide(Service.layer))

report(await Effect.runPromise(main))
