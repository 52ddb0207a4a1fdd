import type { Backends } from "./Backends.ts"
import { inTurn } from "./inTurn.ts"
import type { BatchReply, KinesisEvent, ProgramName } from "./Program.ts"
import { openChild } from "./Slice.ts"
import { brokenUsers, keyOf, listOf, recordOf, requestOf, topN } from "./workload.ts"

/** What a program left behind after one batch. */
interface Trace {
  /** Sequence numbers reported as failed, in the order of the batch. */
  readonly failures: ReadonlyArray<string>
  readonly entries: Readonly<Record<string, string | null>>
  readonly ttls: ReadonlyArray<number>
}

interface Check {
  readonly name: string
  readonly event: KinesisEvent
}

const hitUsersHere = 30
const firstMiss = 2_000_000

const eventOf = (payloads: ReadonlyArray<unknown>): KinesisEvent => ({
  Records: payloads.map((payload, index) => recordOf(1000 + index, payload, `user-${index}`))
})

const asking = (user: number, changes: object = {}) => ({ ...requestOf(user, user), ...changes })

const hits = () => Array.from({ length: hitUsersHere }, (_, i) => asking(i + 1))

const misses = () => Array.from({ length: 30 }, (_, i) => asking(firstMiss + i))

/** What a sender can get wrong; a key of JSON that is `undefined` isn't written. */
const malformed = () => [
  "{not json",
  "[]",
  "null",
  "42",
  '"x"',
  "{}",
  ...["7", 1.5, 0, -3, 1e300].map((userId) => asking(5, { user_id: userId })),
  ...[0, 101, "20"].map((count) => asking(5, { top_n: count })),
  asking(5, { request_id: 5 }),
  asking(5, { timestamp: null }),
  asking(6, { timestamp: undefined })
]

/** Good requests in unusual clothes. */
const unusual = () => [
  asking(6, { top_n: undefined, request_id: "no top_n" }),
  asking(firstMiss + 31, { top_n: 5 }),
  asking(firstMiss + 32, { extra: { a: 1 } }),
  asking(firstMiss + 33, { request_id: "héllo ✓" })
]

const refused = () => [asking(brokenUsers.from), asking(brokenUsers.to)]

const checks = (): ReadonlyArray<Check> => [
  {
    name: "hits, misses, malformed",
    event: eventOf([...hits(), ...misses(), ...malformed(), ...refused(), ...unusual()])
  },
  { name: "only the recommender fails", event: eventOf([...hits(), ...misses(), ...refused(), ...unusual()]) },
  { name: "nothing fails", event: eventOf([...hits(), ...misses(), ...unusual()]) },
  { name: "empty", event: eventOf([]) }
]

/**
 * Gives one nasty batch after the other to every program and throws unless all report and store the same. Numbers of
 * programs that do different work can't be compared.
 *
 * Leat answers as its contract says: it reports the lowest unsettled sequence number alone, since Lambda redelivers from
 * there on, and its TTLs are jittered downwards.
 */
export const run = async (backends: Backends, programs: ReadonlyArray<ProgramName>) => {
  const reference = "hand-written"
  const expected = await tracesOf(backends, reference, false)
  const contestants = programs.filter((program) => program !== reference).flatMap(withEndpoints)
  await inTurn(contestants, async ({ program, batch }) => {
    const found = await tracesOf(backends, program, batch)
    for (const [index, { name }] of checks().entries()) {
      const fault = faultOf(program, expected[index], found[index])
      if (fault !== undefined)
        throw new Error(`${program}${batch ? ", batch endpoint" : ""}: batch "${name}": ${fault}`)
    }
  })
  return contestants.length + 1
}

/** Leat has to do the same whether the recommender takes batches or not. */
const withEndpoints = (program: ProgramName) =>
  (program === "leat" ? [false, true] : [false]).map((batch) => ({ program, batch }))

const tracesOf = async (backends: Backends, name: ProgramName, batch: boolean) => {
  const surroundings = backends.surroundings({ delayMilliseconds: 0, batch })
  const child = await openChild({ program: name, surroundings, size: 100, hitRatio: 0, repeats: false, lane: 1 })
  try {
    return await inTurn(checks(), async ({ event }) => {
      await fillFew(backends)
      return traceOf(backends, await child.handle(event))
    })
  } finally {
    await child.close()
  }
}

const fillFew = async ({ redis }: Backends) => {
  await redis.flushall()
  const writes = redis.pipeline()
  for (let user = 1; user <= hitUsersHere; user++) {
    writes.setex(keyOf(user, topN), 3600, JSON.stringify(listOf(user, topN)))
  }
  await writes.exec()
}

/** Only keys of the shared contract are compared: a program may keep others of its own. */
const traceOf = async ({ redis }: Backends, reply: BatchReply): Promise<Trace> => {
  const keys = (await redis.keys("rec:user:*")).toSorted()
  const values = keys.length === 0 ? [] : await redis.mget(keys)
  return {
    failures: reply.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier),
    entries: Object.fromEntries(keys.map((key, index) => [key, values[index] ?? null])),
    ttls: await Promise.all(keys.map((key) => redis.ttl(key)))
  }
}

const faultOf = (program: ProgramName, expected?: Trace, found?: Trace): string | undefined => {
  if (expected === undefined || found === undefined) return "no trace"
  const failures = program === "leat" ? expected.failures.slice(0, 1) : expected.failures
  if (found.failures.join() !== failures.join()) {
    return `reported [${found.failures.join(", ")}] instead of [${failures.join(", ")}]`
  }
  const keys = new Set([...Object.keys(expected.entries), ...Object.keys(found.entries)])
  const differing = [...keys].filter((key) => expected.entries[key] !== found.entries[key])
  if (differing.length > 0) {
    const shown = differing
      .slice(0, 3)
      .map((key) => `${key} = ${found.entries[key]} instead of ${expected.entries[key]}`)
    return `${differing.length} cache entries differ, such as ${shown.join("; ")}`
  }
  const leastTtl = program === "leat" ? 3200 : 3590
  const odd = found.ttls.find((ttl) => ttl < leastTtl || ttl > 3600)
  return odd === undefined ? undefined : `a TTL of ${odd} s`
}
