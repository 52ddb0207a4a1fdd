/**
 * The program that is killed: works through events as a transport would, from the last position it acknowledged.
 *
 *   node program.ts URL ACKNOWLEDGED_FILE PUBLISHED_FILE TOTAL
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs"

import * as Effect from "effect/Effect"

import * as Ledger from "./Ledger.ts"

const [url = "", acknowledged = "", published = "", total = "0"] = process.argv.slice(2)

const batchSize = 50

/** So rarely that a kill makes it deliver several batches again. */
const acknowledgeEvery = 3

const read = (): number => (existsSync(acknowledged) ? Number(readFileSync(acknowledged, "utf8")) : 0)

const write = (position: number): void => {
  writeFileSync(`${acknowledged}.new`, String(position))
  renameSync(`${acknowledged}.new`, acknowledged)
}

const program = Effect.gen(function* () {
  const worker = Ledger.ledger(false)
  const end = Number(total)
  let position = read()
  process.stdout.write(`from ${position}\n`)
  for (let batches = 1; position < end; batches++) {
    const batch = Ledger.deliveries(position, Math.min(batchSize, end - position))
    const { settledPrefix } = yield* worker.process(batch)
    position += settledPrefix
    if (batches % acknowledgeEvery === 0 || position === end) write(position)
    process.stdout.write(`at ${position}\n`)
  }
})

await Effect.runPromise(Effect.provide(program, Ledger.parts(url, published)))
process.stdout.write("done\n")
