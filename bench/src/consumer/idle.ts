import { inTurn } from "../inTurn.ts"
import * as Subprocess from "../Subprocess.ts"
import { render } from "../Table.ts"
import type { Idle, Task } from "./idleChild.ts"
import { names } from "./idlePrograms.ts"
import type { Address, Make } from "./stream.ts"

const shardCounts = [4, 64]
const settleMilliseconds = 5000
const milliseconds = 20_000

/** What waiting for records costs of the embedded stream; prints a table. There is no gate. */
export const run = async (print: (text: string) => void): Promise<void> => {
  const rows = await inTurn(shardCounts, async (shards) => [String(shards), ...(await sharesOf(shards))])
  const head = ["shards", ...names.map((program) => `${program}, % of a core`)]
  print(`### Idle, one read a second of each shard, ${milliseconds / 1000} s\n\n${render(head, rows)}\n`)
}

/** Both at once: together they need a small part of a core, and what the neighbours do they suffer alike. */
const sharesOf = async (shards: number): Promise<ReadonlyArray<string>> => {
  const stream = Subprocess.start(new URL("stream.ts", import.meta.url), [])
  const children = names.map((program) => ({
    program,
    child: Subprocess.start(new URL("idleChild.ts", import.meta.url), [])
  }))
  try {
    const make: Make = { shards, records: 0 }
    const address = await stream.ask<Address>(make)
    return await Promise.all(
      children.map(async ({ child, program }) => {
        const task: Task = { program, address, settleMilliseconds, milliseconds }
        const { share } = await child.ask<Idle>(task)
        return `${(100 * share).toFixed(2)} %`
      })
    )
  } finally {
    await Promise.all([stream, ...children.map(({ child }) => child)].map((one) => one.close()))
  }
}
