import { assert, describe, it } from "@effect/vitest"
import * as Cluster from "@leat/transport-kinesis/assignment/Cluster"
import { ShardAssignment } from "@leat/transport-kinesis/ShardAssignment"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const built = (env: Record<string, string>) =>
  Effect.map(
    Layer.build(
      Cluster.layerConfig({ timeout: "1 second" }).pipe(
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env })))
      )
    ),
    (services) => Context.get(services, ShardAssignment)
  )

const faultOf = (env: Record<string, string>) => Effect.map(Effect.flip(Effect.scoped(built(env))), String)

describe("what the environment says of the assignment", () => {
  it.effect("is solo where it says nothing", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* built({})).name, "solo")
    })
  )

  it.effect("names the variable that is wrong or missing", () =>
    Effect.gen(function* () {
      assert.include(yield* faultOf({ SHARD_ASSIGNMENT: "zookeeper" }), "SHARD_ASSIGNMENT")
      assert.include(yield* faultOf({ SHARD_ASSIGNMENT: "redis" }), "REDIS_URL")
      assert.include(yield* faultOf({ SHARD_ASSIGNMENT: "postgres" }), "DATABASE_URL")
      assert.include(
        yield* faultOf({ SHARD_ASSIGNMENT: "redis", REDIS_URL: "redis://h", SHARD_LEASE: "long" }),
        "SHARD_LEASE"
      )
      assert.include(
        yield* faultOf({ SHARD_ASSIGNMENT: "redis", REDIS_URL: "redis://h", SHARD_NAMES: "many" }),
        "SHARD_NAMES"
      )
    })
  )

  it.live("is a typed fault where nobody listens", () =>
    Effect.gen(function* () {
      const urls = { REDIS_URL: "redis://u:geheim@127.0.0.1:1", DATABASE_URL: "postgres://u:geheim@127.0.0.1:1/d" }
      for (const SHARD_ASSIGNMENT of ["redis", "postgres"]) {
        const error = yield* Effect.flip(Effect.scoped(built({ ...urls, SHARD_ASSIGNMENT })))
        assert.isTrue(error._tag === "ShardAssignmentError" && error.reason === "Unavailable", String(error))
        assert.notInclude(JSON.stringify(error), "geheim")
      }
    })
  )
})
