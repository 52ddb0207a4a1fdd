import { Redis } from "ioredis"

import type { Surroundings } from "../Program.ts"
import { keyOf } from "../workload.ts"
import { viaRequest } from "./recommender.ts"
import { RecommendationList, RecommendationRequest, RecommenderReply } from "./requestZod.ts"

/** What a per-record framework is given to call: one record's work, and the connections behind it. */
export interface RecordService {
  readonly decode: (data: string) => RecommendationRequest
  readonly serve: (request: RecommendationRequest) => Promise<void>
  readonly close: () => Promise<void>
}

/**
 * The record handler that the frameworks share. It is the best a per-record handler can have: ioredis gathers the GETs and
 * SETEXs of a tick into one pipeline, undici has its pool.
 */
export const make = (surroundings: Surroundings): RecordService => {
  const redis = new Redis({
    host: surroundings.redisHost,
    port: surroundings.redisPort,
    enableAutoPipelining: true
  })
  const recommender = viaRequest(surroundings.recommender)
  return {
    decode: (data) => RecommendationRequest.parse(JSON.parse(Buffer.from(data, "base64").toString("utf8"))),
    serve: async ({ user_id: userId, top_n: topN }) => {
      const key = keyOf(userId, topN)
      const found = await redis.get(key)
      if (found !== null) {
        RecommendationList.parse(JSON.parse(found))
        return
      }
      const { recommendations } = RecommenderReply.parse(await recommender.ask(userId, topN))
      await redis.setex(key, 3600, JSON.stringify(recommendations))
    },
    close: async () => {
      redis.disconnect()
      await recommender.close()
    }
  }
}
