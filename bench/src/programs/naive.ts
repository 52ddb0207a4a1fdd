import { Redis } from "ioredis"

import type { Make } from "../Program.ts"
import { keyOf } from "../workload.ts"
import { viaFetch } from "./recommender.ts"
import { checkList, checkReply, decodeRequest } from "./request.ts"

/** The tutorial's loop: record after record, GET, `fetch`, SETEX, each awaited. */
export const make: Make = async (surroundings) => {
  const redis = new Redis({ host: surroundings.redisHost, port: surroundings.redisPort })
  const recommender = viaFetch(surroundings.recommender)

  const serve = async (data: string) => {
    const { userId, topN } = decodeRequest(data)
    const key = keyOf(userId, topN)
    const found = await redis.get(key)
    if (found !== null) return checkList(JSON.parse(found))
    const list = checkReply(await recommender.ask(userId, topN))
    await redis.setex(key, 3600, JSON.stringify(list))
    return list
  }

  return {
    handler: async ({ Records }) => {
      const batchItemFailures: Array<{ itemIdentifier: string }> = []
      for (const record of Records) {
        try {
          // oxlint-disable-next-line no-await-in-loop -- what this loop costs is what this program is there to show
          await serve(record.kinesis.data)
        } catch {
          batchItemFailures.push({ itemIdentifier: record.kinesis.sequenceNumber })
        }
      }
      return { batchItemFailures }
    },
    close: async () => redis.disconnect()
  }
}
