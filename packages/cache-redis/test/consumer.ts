/** What a user outside of the workspace writes; packages/core/test/pack.integration.test.ts runs it on the tarball. */
import { RedisStore } from "@leat/cache-redis"
import { Cache, CacheCodec } from "@leat/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

// Nobody listens on port 1: a cache whose store is down still answers, from the origin.
const answer = await Effect.gen(function* () {
  const cache = yield* Cache.make({
    key: (id: number) => "films:" + id,
    codec: CacheCodec.ints(),
    load: (id) => Effect.succeed([id])
  })
  return yield* cache.get(7)
}).pipe(Effect.scoped, Effect.provide(Layer.merge(RedisStore.layer({ port: 1 }), Logger.layer([]))), Effect.runPromise)

console.log(answer.source === "origin" && answer.value[0] === 7 ? "ok" : JSON.stringify(answer))
