/**
 * Redis or this process's memory, as the environment says.
 *
 * | `REDIS_ENABLED` | `REDIS_ENDPOINT` | store                                                        |
 * | --------------- | ---------------- | ------------------------------------------------------------ |
 * | true (default)  | set              | Redis                                                        |
 * | true (default)  | not set          | memory with a warning, or a config error: `withoutEndpoint`  |
 * | false           |                  | memory                                                       |
 *
 * @since 0.1.0
 */
import * as CacheStore from "@leat/core/CacheStore"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"

import * as RedisBackplane from "./RedisBackplane.ts"
import * as RedisStore from "./RedisStore.ts"

/** Whether the environment names a Redis. */
const isRedis = Effect.gen(function* () {
  const enabled = yield* Config.withDefault(Config.Boolean("REDIS_ENABLED"), true)
  return enabled && Option.isSome(yield* Config.option(Config.NonEmptyString("REDIS_ENDPOINT")))
})

/**
 * The backplane on the Redis of the environment; none where there is none. For processes whose memory serves without asking
 * the store.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerBackplane: Layer.Layer<never, Config.ConfigError> = Layer.unwrap(
  Effect.map(isRedis, (redis) => (redis ? RedisBackplane.layerConfig : Layer.empty))
)

/**
 * The store of the environment.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (options: {
  /** What a missing endpoint means: `memory` where a person starts the program, `fail` where it is deployed. */
  readonly withoutEndpoint: "memory" | "fail"
}): Layer.Layer<CacheStore.CacheStore, Config.ConfigError> =>
  Layer.unwrap(
    Effect.gen(function* () {
      if (!(yield* Config.withDefault(Config.Boolean("REDIS_ENABLED"), true))) return CacheStore.layerMemory()
      const endpoint = yield* Config.option(Config.NonEmptyString("REDIS_ENDPOINT"))
      if (Option.isSome(endpoint) || options.withoutEndpoint === "fail") return RedisStore.layerConfig
      yield* Effect.logWarning(
        "REDIS_ENDPOINT is not set: the cache is this process's memory. Set it, or REDIS_ENABLED=false to say so."
      )
      return CacheStore.layerMemory()
    })
  )
