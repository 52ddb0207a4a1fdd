/** The peer: a bare Fastify route with validated parameters and a serializer, one Redis GET, nothing else. */
import Fastify from "fastify"
import { Redis } from "ioredis"

import { keyOf } from "../workload.ts"

interface Route {
  readonly Params: { readonly user_id: number }
  readonly Querystring: { readonly top_n: number }
}

const schema = {
  params: { type: "object", required: ["user_id"], properties: { user_id: { type: "integer", minimum: 1 } } },
  querystring: {
    type: "object",
    properties: { top_n: { type: "integer", minimum: 1, maximum: 100, default: 20 } }
  },
  response: {
    200: {
      type: "object",
      properties: {
        user_id: { type: "integer" },
        recommendations: { type: "array", items: { type: "integer" } },
        count: { type: "integer" },
        from_cache: { type: "boolean" },
        latency_ms: { type: "integer" }
      }
    }
  }
}

const redis = new Redis({
  host: process.env["REDIS_ENDPOINT"] ?? "127.0.0.1",
  port: Number(process.env["REDIS_PORT"]),
  enableAutoPipelining: true
})

const app = Fastify()

app.get<Route>("/recommend/cached/:user_id", { schema }, async (request, reply) => {
  const start = performance.now()
  const { user_id: userId } = request.params
  const found = await redis.get(keyOf(userId, request.query.top_n))
  if (found === null) return reply.code(404).send({ status: 404, title: "Not Found" })
  const recommendations: ReadonlyArray<number> = JSON.parse(found)
  return {
    user_id: userId,
    recommendations,
    count: recommendations.length,
    from_cache: true,
    latency_ms: Math.round(performance.now() - start)
  }
})

await app.listen({ host: "127.0.0.1", port: Number(process.env["PORT"]) })
