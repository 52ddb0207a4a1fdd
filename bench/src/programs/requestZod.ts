import { z } from "zod"

/** The request event as zod checks it, for the peers that are used with a schema. */
export const RecommendationRequest = z.object({
  user_id: z.number().int().positive(),
  top_n: z.number().int().min(1).max(100).default(20),
  request_id: z.string(),
  timestamp: z.string()
})

export type RecommendationRequest = z.infer<typeof RecommendationRequest>

export const RecommendationList = z.array(z.number().int())

export const RecommenderReply = z.object({
  user_id: z.number().int(),
  recommendations: RecommendationList,
  count: z.number().int()
})
