/** One cache, kept warm in a process of its own; the parent says what is to be done with it. */
import { setTimeout as sleep } from "node:timers/promises"

import { inTurn, times } from "../inTurn.ts"
import { collectYoung, measure } from "../measure.ts"
import * as Subprocess from "../Subprocess.ts"
import { contestants } from "./contestants.ts"
import type { Contestant, ContestantName, Ids, Level } from "./contestants.ts"

export type Work = "memory hit" | "Redis hit" | "100 hits at once" | "batch of 100" | "miss" | "stampede"

export interface Task {
  readonly contestant: ContestantName
  readonly port: number
  readonly work: Work
  readonly reads: number
}

/** What it took, a read. */
export interface Slice {
  /** Microseconds. */
  readonly cpu: number
  readonly wall: number
  /** How often the origin was asked. */
  readonly loads: number
}

const users = 2_000
const most = 100

const listOf = (user: number): Ids => times(20).map((i) => 1 + ((user * 7_919 + i * 104_729) % 60_000))

let loads = 0
let slow = false
const load = async (user: number): Promise<Ids> => {
  loads++
  if (slow) await sleep(20)
  return listOf(user)
}

const opened = new Map<Level, Contestant>()
const open = async ({ contestant, port }: Task, level: Level): Promise<Contestant> => {
  const known = opened.get(level)
  if (known !== undefined) return known
  const made = await contestants[contestant](port, level, load)
  opened.set(level, made)
  // Everything is there, and is right.
  await inTurn(times(users), (user) => made.get(user))
  await sleep(50)
  const found = await made.batch(times(most))
  found.forEach((ids, user) => {
    if (String(ids) !== String(listOf(user)))
      throw new Error(`${contestant} (${level}) has ${String(ids)} for user ${user}`)
  })
  return made
}

let fresh = users

const works: Record<Work, (cache: Contestant, reads: number) => Promise<void>> = {
  "memory hit": (cache, reads) => oneByOne(cache, reads),
  "Redis hit": (cache, reads) => oneByOne(cache, reads),
  "100 hits at once": async (cache, reads) => {
    for (let from = 0; from < reads; from += most) {
      await Promise.all(times(most).map((i) => cache.get((from + i) % users)))
    }
  },
  "batch of 100": async (cache, reads) => {
    for (let from = 0; from < reads; from += most) await cache.batch(times(most).map((i) => (from + i) % users))
  },
  miss: async (cache, reads) => {
    for (let i = 0; i < reads; i++) await cache.get(fresh++)
  },
  stampede: async (cache, reads) => {
    const user = fresh++
    slow = true
    await Promise.all(times(reads).map(() => cache.get(user)))
    slow = false
  }
}

const oneByOne = async (cache: Contestant, reads: number): Promise<void> => {
  for (let i = 0; i < reads; i++) await cache.get(i % users)
}

Subprocess.answer<Task>(async (task): Promise<Slice> => {
  const { reads, work } = task
  // Numbers that no other process uses, so that a miss is one.
  fresh += process.pid * 1_000
  const cache = await open(task, work === "memory hit" ? "memory" : "redis")
  loads = 0
  collectYoung()
  const { cpu, wall } = await measure(() => works[work](cache, reads))
  return { cpu: cpu / reads, wall: (wall * 1_000) / reads, loads }
})
