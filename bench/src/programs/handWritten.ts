import { Redis } from "ioredis"

import type { KinesisEventRecord, Make, Program } from "../Program.ts"
import { keyOf } from "../workload.ts"
import { viaRequest } from "./recommender.ts"
import type { RecommenderClient } from "./recommender.ts"
import { checkList, checkReply, decodeRequest } from "./request.ts"
import type { RecommendationRequest } from "./request.ts"

/** A request of the batch that could be decoded, and where it stands in it. */
interface Asked extends RecommendationRequest {
  readonly index: number
  readonly key: string
}

const ttlSeconds = 3600

/**
 * The reference that every other program is measured against: what a careful person writes for this one job, without a
 * framework. One MGET a batch, the misses side by side over keep-alive connections, one pipeline of SETEX.
 */
export const makeWith =
  (connect: (origin: string) => RecommenderClient): Make =>
  async (surroundings) => {
    const redis = new Redis({ host: surroundings.redisHost, port: surroundings.redisPort })
    const recommender = connect(surroundings.recommender)
    return {
      handler: handlerOf(redis, recommender),
      close: async () => {
        redis.disconnect()
        await recommender.close()
      }
    }
  }

export const make = makeWith(viaRequest)

const handlerOf = (redis: Redis, recommender: RecommenderClient): Program["handler"] =>
  async function handler({ Records: records }) {
    const failed = Array.from<boolean>({ length: records.length }).fill(false)
    const asked = decodeAll(records, failed)
    if (asked.length > 0) {
      const misses = readHits(asked, await redis.mget(asked.map(({ key }) => key)), failed)
      if (misses.length > 0) await fetchAndStore(redis, recommender, misses, failed)
    }
    return { batchItemFailures: failuresOf(records, failed) }
  }

const decodeAll = (records: ReadonlyArray<KinesisEventRecord>, failed: Array<boolean>) => {
  const asked: Array<Asked> = []
  for (const [index, record] of records.entries()) {
    try {
      const { userId, topN } = decodeRequest(record.kinesis.data)
      asked.push({ userId, topN, index, key: keyOf(userId, topN) })
    } catch {
      failed[index] = true
    }
  }
  return asked
}

/** Checks the lists that were found and gives back the requests that found none. */
const readHits = (
  asked: ReadonlyArray<Asked>,
  found: ReadonlyArray<string | null>,
  failed: Array<boolean>
): ReadonlyArray<Asked> => {
  const misses: Array<Asked> = []
  for (const [place, request] of asked.entries()) {
    const text = found[place] ?? null
    if (text === null) misses.push(request)
    else {
      try {
        checkList(JSON.parse(text))
      } catch {
        failed[request.index] = true
      }
    }
  }
  return misses
}

const fetchAndStore = async (
  redis: Redis,
  recommender: RecommenderClient,
  misses: ReadonlyArray<Asked>,
  failed: Array<boolean>
) => {
  const writes = redis.pipeline()
  const fetchOne = async ({ userId, topN, index, key }: Asked) => {
    try {
      const list = checkReply(await recommender.ask(userId, topN))
      writes.setex(key, ttlSeconds, JSON.stringify(list))
    } catch {
      failed[index] = true
    }
  }
  await Promise.all(misses.map(fetchOne))
  await writes.exec()
}

const failuresOf = (records: ReadonlyArray<KinesisEventRecord>, failed: ReadonlyArray<boolean>) => {
  const failures: Array<{ itemIdentifier: string }> = []
  for (const [index, record] of records.entries()) {
    if (failed[index] === true) failures.push({ itemIdentifier: record.kinesis.sequenceNumber })
  }
  return failures
}
