import { assert, describe, it } from "@effect/vitest"
import { CheckpointStore } from "@leat/transport-kinesis/Checkpoint"
import * as Sql from "@leat/transport-kinesis/checkpoint/Sql"
import * as ShardPosition from "@leat/transport-kinesis/ShardPosition"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

const environment = (env: Record<string, string>) => ConfigProvider.layer(ConfigProvider.fromEnv({ env }))

const address = (env: Record<string, string>) =>
  Effect.gen(function* () {
    return yield* Sql.address({ withoutUrl: { sqlite: "local.sqlite" } })
  }).pipe(Effect.provide(environment(env)))

describe("where the environment has the checkpoints", () => {
  it.effect("is a file, a PostgreSQL, or what the program says", () =>
    Effect.gen(function* () {
      const url = "postgres://u:geheim@host/d"
      assert.deepStrictEqual(yield* address({ DATABASE_URL: "sqlite:data/c.sqlite" }), {
        _tag: "Sqlite",
        file: "data/c.sqlite"
      })
      assert.deepStrictEqual(yield* address({ DATABASE_URL: url }), { _tag: "Postgres", url: Redacted.make(url) })
      assert.deepStrictEqual(yield* address({}), { _tag: "Sqlite", file: "local.sqlite" })
      assert.deepStrictEqual(yield* address({ DATABASE_URL: "" }), { _tag: "Sqlite", file: "local.sqlite" })
    })
  )

  it.effect("is refused without being repeated when it is something else", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(address({ DATABASE_URL: "mysql://u:geheim@host/d" }))
      assert.include(error.message, "sqlite:PATH")
      assert.notInclude(error.message, "geheim")
    })
  )

  for (const env of [{}, { DATABASE_URL: "sqlite::memory:" }]) {
    it.effect(`gives a store: ${JSON.stringify(env)}`, () =>
      Effect.gen(function* () {
        const { acquire, create } = yield* CheckpointStore
        const group = { application: "a", stream: "s" }
        yield* create(group, [{ shardId: "shardId-0", position: ShardPosition.trimHorizon }])
        assert.strictEqual((yield* acquire(group, "shardId-0", "me"))?.token, 1)
      }).pipe(Effect.provide(Sql.layerConfig({ withoutUrl: "memory" }).pipe(Layer.provide(environment(env)))))
    )
  }
})
