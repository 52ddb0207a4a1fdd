import type { KinesisEvent, KinesisEventRecord } from "./Program.ts"

/** Users whose lists lie in the cache before every round. */
export const hitUsers = 5000

/** Recommendations a user gets when a request doesn't say. */
export const topN = 20

/** Users for whom the stub recommender answers 500. */
export const brokenUsers = { from: 900_000, to: 900_099 }

/** The cache key that every program shares. */
export const keyOf = (userId: number, count: number) => `rec:user:${userId}:top${count}`

/** The list the recommender gives, and the cache holds, for a user. */
export const listOf = (userId: number, count: number) =>
  Array.from({ length: count }, (_, i) => ((userId * 31 + i * 7) % 9000) + 1000)

/** 56 digits, as Kinesis gives them, growing with `sequence`. */
const sequenceNumberOf = (sequence: number) =>
  `495903382714902566085596925383615710959215759891${String(sequence).padStart(8, "0")}`

/** One record as Lambda hands it over. A payload that is a string goes in as it is, so that it can be broken. */
export const recordOf = (sequence: number, payload: unknown, partitionKey: string): KinesisEventRecord => ({
  kinesis: {
    kinesisSchemaVersion: "1.0",
    partitionKey,
    sequenceNumber: sequenceNumberOf(sequence),
    data: Buffer.from(typeof payload === "string" ? payload : JSON.stringify(payload)).toString("base64"),
    approximateArrivalTimestamp: 1_761_300_000.123 + sequence / 1000
  },
  eventSource: "aws:kinesis",
  eventVersion: "1.0",
  eventID: `shardId-000000000000:${sequenceNumberOf(sequence)}`,
  eventName: "aws:kinesis:record",
  invokeIdentityArn: "arn:aws:iam::123456789012:role/movie-rec-kinesis-handler",
  awsRegion: "us-east-1",
  eventSourceARN: "arn:aws:kinesis:us-east-1:123456789012:stream/movie-rec-requests"
})

/** A request event that every program accepts. */
export const requestOf = (userId: number, requestNumber: number) => ({
  user_id: userId,
  top_n: topN,
  request_id: `6f1c2a9e-0b7d-4c11-9a51-${String(requestNumber).padStart(12, "0")}`,
  timestamp: "2025-10-24T10:30:00.000Z"
})

/** Makes batches without end. No user comes twice in a batch: the profit of deduplication is left out for everybody. */
export interface Workload {
  readonly batch: (size: number, hitRatio: number) => KinesisEvent
}

/**
 * A workload whose misses are users that nobody has asked for: `lane` keeps the programs of a run apart, or the first would
 * warm the cache for the next.
 */
export const make = (lane: number): Workload => {
  let sequence = 0
  let missUser = 1_000_000 + lane * 20_000_000
  const random = randomOf(12_345)
  return {
    batch: (size, hitRatio) => {
      const hits = Math.round(size * hitRatio)
      const start = random(hitUsers)
      const users = Array.from({ length: size }, (_, i) => (i < hits ? ((start + i * 3) % hitUsers) + 1 : ++missUser))
      shuffle(users, random)
      return {
        Records: users.map((user) => {
          sequence++
          return recordOf(sequence, requestOf(user, sequence), `user-${user}`)
        })
      }
    }
  }
}

/** A whole number from 0 up to, and without, `below`. */
export type Random = (below: number) => number

/** The linear congruential generator of ANSI C: seeded, so that every program gets the same batches. */
export const randomOf = (seed: number): Random => {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return state % below
  }
}

/** Fisher and Yates, in place. */
const shuffle = (users: Array<number>, random: Random) => {
  for (let i = users.length - 1; i > 0; i--) {
    const j = random(i + 1)
    const swapped = users[i] ?? 0
    users[i] = users[j] ?? 0
    users[j] = swapped
  }
}
