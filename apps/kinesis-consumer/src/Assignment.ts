/** Who reads which shard: `SHARD_ASSIGNMENT`, with the store where several processes agree. */
import * as Cluster from "@leat/transport-kinesis/assignment/Cluster"
import type { ShardAssignment } from "@leat/transport-kinesis/ShardAssignment"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

import * as Settings from "./Settings.ts"

/** `solo` (every shard is this process's), or where the processes agree. */
export const kind = Config.withDefault(Config.Literals(["solo", "postgres", "redis"], "SHARD_ASSIGNMENT"), "solo")

const stores = {
  postgres: {
    variable: "DATABASE_URL",
    form: "postgres://user:password@host:port/database",
    protocol: /^postgres(ql)?:\/\//
  },
  redis: { variable: "REDIS_URL", form: "redis://user:password@host:port/database", protocol: /^rediss?:\/\// }
} as const

const fault = (message: string): Config.Config<never> => Config.fail(new ConfigProvider.SourceError({ message }))

/** What `Cluster` will read, looked at first: its own error would not say what the address is for. */
export const checked: Config.Config<unknown> = Config.flatMap(kind, (found): Config.Config<unknown> => {
  if (found === "solo") return Config.succeed(undefined)
  const { form, protocol, variable } = stores[found]
  return Config.flatMap(Config.option(Config.Redacted(variable)), (url) =>
    Option.isSome(url) && protocol.test(Redacted.value(url.value))
      ? Config.succeed(undefined)
      : fault(`SHARD_ASSIGNMENT=${found} needs ${variable}: ${form} (its value is not shown)`)
  )
})

/** Who consumes another stream, or for another application, has no part in the shares of this one. */
export const layerConfig: Layer.Layer<ShardAssignment, Cluster.ShardAssignmentError | Config.ConfigError> =
  Layer.unwrap(
    Effect.map(Config.all({ ...Settings.identity, checked }), ({ application, stream }) =>
      Cluster.layerConfig({ namespace: `${application}/${stream}` })
    )
  )
