/**
 * The backplane on Redis: what one cache forgets, the memories of the others on the same channel forget too.
 *
 * **Guarantees.** A message is published once, to whoever is connected then. A listener that was not, or was too slow, hears
 * of a gap when it is back, and asks the store about everything once more. Publishing never waits for a Redis that is not
 * there: it fails at once. Building the layer never fails and waits for nobody. What others publish on the channel is
 * bounded and checked; what is no message of ours is counted and left alone.
 *
 * **Details.** Two connections a process, apart from the store's: one that listens, as Redis wants it, and one that publishes.
 * In a cluster a message goes to all nodes by itself. For long-running processes: a Lambda environment that stands still
 * hears nothing.
 *
 * @since 0.1.0
 */
import { randomUUID } from "node:crypto"

import type { CacheBackplane } from "@leat/core/CacheBackplane"
import * as Backplane from "@leat/core/CacheBackplane"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { Command } from "ioredis"

import * as backplaneMessage from "./internal/backplaneMessage.ts"
import type { Connection } from "./internal/connection.ts"
import * as wires from "./internal/wires.ts"
import * as RedisConfig from "./RedisConfig.ts"
import type * as RedisStore from "./RedisStore.ts"

/**
 * Where Redis is, and which channel is used.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends RedisStore.Options {
  /** Caches that share keys share a channel. Default `leat:cache`. */
  readonly channel?: string | undefined
}

/**
 * A backplane on connections of its own, which end with the scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  options: Options = {}
): Effect.fn.Return<CacheBackplane, never, Scope.Scope> {
  const { channel = "leat:cache" } = options
  const opened = yield* wires.make(options)
  const publisher = yield* Effect.acquireRelease(
    Effect.sync(() => opened.connect()),
    (connection) => connection.close()
  )
  const from = randomUUID()
  let strange = 0
  return {
    publish: (keys, at) =>
      Effect.forEach(chunked(keys), (chunk) => publish(publisher, channel, { from, keys: chunk, at }), {
        discard: true
      }),
    messages: Backplane.messagesOf((tell) => {
      const subscriber = opened.listen(channel, {
        onGap: () => tell({ _tag: "Gap" }),
        onMessage: (text) => {
          const message = backplaneMessage.decode(text)
          if (message === undefined) {
            if (strange++ === 0) opened.log(Effect.logWarning(`what is no message of a cache comes on ${channel}`))
          } else if (message.from !== from) {
            tell({ _tag: "Forgotten", keys: message.keys, at: message.at })
          }
        }
      })
      return () => subscriber.close()
    })
  }
})

const chunked = (keys: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> => {
  const { keysPerMessage } = backplaneMessage
  return Array.from({ length: Math.ceil(keys.length / keysPerMessage) }, (_, i) =>
    keys.slice(i * keysPerMessage, (i + 1) * keysPerMessage)
  )
}

const publish = (publisher: Connection, channel: string, message: backplaneMessage.BackplaneMessage) =>
  Effect.suspend(() => {
    const { timeout } = publisher.surroundings
    return publisher.request(() => [new Command("publish", [channel, backplaneMessage.encode(message)])], timeout)
  })

/**
 * Puts the caches below on a backplane on the Redis given.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<never> =>
  Layer.effect(Backplane.CacheBackplane, make(options))

/**
 * The same on the Redis of the environment, and the channel `CACHE_CHANNEL` (`leat:cache`).
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig: Layer.Layer<never, Config.ConfigError> = Layer.effect(
  Backplane.CacheBackplane,
  Effect.flatMap(
    Config.all({
      redis: RedisConfig.redis,
      channel: Config.withDefault(Config.NonEmptyString("CACHE_CHANNEL"), "leat:cache")
    }),
    ({ channel, redis }) => make({ ...redis, channel })
  )
)
