/** A stream, a feed, a fleet and the journal of its outcomes, for as long as the scope is open; and what befalls the fleet. */
import * as Journal from "@leat/core/Journal"
import * as PostgresJournal from "@leat/journal-sql/PostgresJournal"
import { EmbeddedKinesis } from "@leat/transport-kinesis/testing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"

import * as Counting from "./Counting.ts"
import * as Feed from "./Feed.ts"
import { Fleet } from "./Fleet.ts"
import * as Verdict from "./Verdict.ts"

/** Something that befell the fleet, and what came of it. */
export interface Incident {
  readonly what: string
  /** Shards that changed hands. */
  readonly shards: number
  /** Milliseconds until the last of them was read elsewhere. */
  readonly takenAfter: number
}

export interface World {
  readonly fleet: Fleet
  readonly feed: Feed.Feed
  /** Everything that was accepted has its outcome, or the time is up. */
  readonly drained: (within: number) => Promise<void>
  readonly verdict: () => Promise<Verdict.Verdict>
}

export const make = (places: Omit<Counting.Places, "kinesis">) =>
  Effect.gen(function* () {
    const services = yield* Layer.build(
      Layer.merge(
        EmbeddedKinesis.layer({ streams: [{ name: Counting.stream, shards: 8 }] }),
        PostgresJournal.layer({ url: Redacted.make(places.postgres), namespace: places.namespace, maxConnections: 2 })
      )
    )
    const kinesis = Context.get(services, EmbeddedKinesis.EmbeddedKinesis).endpoint
    const { read } = Context.get(services, Journal.Journal)
    const feed = yield* Feed.make(kinesis)
    const fleet = yield* Effect.acquireRelease(
      Effect.sync(() => new Fleet({ ...places, kinesis })),
      (made) => Effect.promise(() => made.stop())
    )
    const outcomes: Array<Verdict.Numbered> = []
    let position = 0
    const take = (entry: Journal.Entry): void => {
      position = entry.position
      outcomes.push({ key: entry.key, number: Number(entry.id.slice(entry.id.lastIndexOf("/") + 1)) })
    }
    const catchUp = () =>
      Effect.runPromise(
        Effect.suspend(() => Stream.runForEach(read(position), (entry) => Effect.sync(() => take(entry))))
      )
    const world: World = {
      fleet,
      feed,
      drained: async (within) => {
        const end = performance.now() + within
        for (await catchUp(); outcomes.length < feed.total && performance.now() < end; await catchUp()) await pause(100)
      },
      verdict: async () => {
        await catchUp()
        return Verdict.judge(feed.accepted, outcomes, fleet.runs())
      }
    }
    return world
  })

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Every open shard is read, by all processes alike. */
export const even = async ({ feed, fleet }: World, processes: number): Promise<void> => {
  const shards = (await feed.open()).length
  await fleet.until(`${shards} shards over ${processes} processes`, () => {
    const shares = fleet.shares()
    const total = shares.reduce((sum, share) => sum + share, 0)
    return shares.length === processes && total === shards && (shares.at(-1) ?? 0) - (shares[0] ?? 0) <= 1
  })
}

const now = (): number => performance.timeOrigin + performance.now()

/** When others have begun what the process had, since it was signalled. */
const takeover = async ({ fleet }: World, victim: string, signal: () => unknown) => {
  const shards = fleet.reads(victim)
  const [from, at] = [fleet.lines.length, now()]
  await signal()
  await fleet.until(`others read what ${victim} read`, () => fleet.takenOver(victim, shards, from) !== undefined)
  return { shards, takenAfter: shards.length === 0 ? 0 : (fleet.takenOver(victim, shards, from) ?? at) - at }
}

/**
 * The process dies in the middle of its work, and one of its shards is split while nobody reads it: its children must wait
 * for its heir. Then another process comes.
 */
export const kill = async (world: World, victim: string, heir: string): Promise<Incident> => {
  const { feed, fleet } = world
  const { shards, takenAfter } = await takeover(world, victim, async () => {
    fleet.signal(victim, "SIGKILL")
    const orphan = (await feed.open()).find(
      ({ shardId }) =>
        fleet.lines.findLast(({ shard, what }) => shard === shardId && what === "begin")?.machine === victim
    )
    if (orphan !== undefined) await feed.split(orphan)
  })
  fleet.start(heir)
  return { what: "kill -9, split", shards: shards.length, takenAfter }
}

/** The process stands still until others have its shards, and for a while longer; then it goes on as if nothing had been. */
export const freeze = async (world: World, victim: string): Promise<Incident> => {
  const { fleet } = world
  const { shards, takenAfter } = await takeover(world, victim, () => fleet.signal(victim, "SIGSTOP"))
  await pause(500)
  const continued = fleet.lines.length
  fleet.signal(victim, "SIGCONT")
  await fleet.until(`${victim} stops what it read`, () =>
    shards.every((shard) =>
      fleet.lines
        .slice(continued)
        .some((line) => line.machine === victim && line.shard === shard && line.what !== "begin")
    )
  )
  return { what: "SIGSTOP, SIGCONT", shards: shards.length, takenAfter }
}

/** The process is asked to end: it hands over. */
export const replace = async (world: World, victim: string, heir: string): Promise<Incident> => {
  const { fleet } = world
  const { shards, takenAfter } = await takeover(world, victim, () => fleet.signal(victim, "SIGTERM"))
  await fleet.until(`the end of ${victim}`, () => fleet.ended.get(victim) === 0)
  fleet.start(heir)
  return { what: "SIGTERM", shards: shards.length, takenAfter }
}

/** Two shards become one while events come: both are read to their end, and then their child. */
export const merge = async ({ feed, fleet }: World, place: number): Promise<Incident> => {
  const at = now()
  const open = await feed.open()
  const first = place % (open.length - 1)
  const parents = open.slice(first, first + 2)
  const [shard, neighbour] = parents
  if (shard === undefined || neighbour === undefined) throw new Error("the stream has no two open shards")
  await feed.merge(shard, neighbour)
  const ended = () =>
    parents.map(({ shardId }) => fleet.lines.findLast((line) => line.shard === shardId && line.what === "end")?.at)
  await fleet.until("the parents are at their end", () => !ended().includes(undefined))
  return { what: "merge", shards: 2, takenAfter: Math.max(...ended().map((time) => time ?? at)) - at }
}

/** How often a handler may have run again: a batch of each shard that changed hands, at most. */
export const mostRepeats = (incidents: ReadonlyArray<Incident>): number =>
  Counting.batchSize * incidents.filter(({ what }) => what !== "merge").reduce((sum, { shards }) => sum + shards, 0)
