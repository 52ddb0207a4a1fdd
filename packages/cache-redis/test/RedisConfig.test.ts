import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

import * as RedisConfig from "../src/RedisConfig.ts"

const read = (env: Record<string, string>) => RedisConfig.redis.parse(ConfigProvider.fromEnv({ env }))

describe("REDIS_ENDPOINT", () => {
  for (const [endpoint, host, port, tls] of [
    ["cache.example.com", "cache.example.com", 6379, false],
    ["cache.example.com:6380", "cache.example.com", 6380, false],
    ["redis://10.0.0.7:7000/2", "10.0.0.7", 7000, false],
    ["rediss://cache.example.com", "cache.example.com", 6379, true],
    ["[::1]:6379", "::1", 6379, false]
  ] as const) {
    it.effect(`may be ${endpoint}`, () =>
      Effect.gen(function* () {
        const config = yield* read({ REDIS_ENDPOINT: endpoint })
        assert.deepInclude(config, { host, port, tls })
      })
    )
  }

  it.effect("may name user, password and database", () =>
    Effect.gen(function* () {
      const config = yield* read({ REDIS_ENDPOINT: "redis://ada:p%40ss@db:1/3" })
      assert.deepInclude(config, { host: "db", port: 1, username: "ada", database: 3 })
      assert.strictEqual(config.password && Redacted.value(config.password), "p@ss")
      assert.notInclude(JSON.stringify(config), "p@ss")
    })
  )

  for (const endpoint of [
    "",
    "http://cache",
    "redis://",
    "host:port",
    "redis://u:secret@host:99999",
    "host/path",
    "redis://u:%zz@h"
  ]) {
    it.effect(`can't be ${JSON.stringify(endpoint)}, and the error names it and keeps secrets`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(read({ REDIS_ENDPOINT: endpoint }))
        assert.include(error.message, "REDIS_ENDPOINT")
        assert.notInclude(error.message, "secret")
      })
    )
  }

  it.effect("must be there", () =>
    Effect.gen(function* () {
      assert.include((yield* Effect.flip(read({}))).message, "REDIS_ENDPOINT")
    })
  )
})

describe("REDIS_PORT", () => {
  it.effect("completes an endpoint without a port", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* read({ REDIS_ENDPOINT: "cache", REDIS_PORT: "6390" })).port, 6390)
      assert.strictEqual((yield* read({ REDIS_ENDPOINT: "cache:6390", REDIS_PORT: "6390" })).port, 6390)
    })
  )

  for (const port of ["0", "65536", "x", "6390.5"]) {
    it.effect(`can't be ${port}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(read({ REDIS_ENDPOINT: "cache", REDIS_PORT: port }))
        assert.include(error.message, "REDIS_PORT")
      })
    )
  }

  it.effect("can't contradict the endpoint", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(read({ REDIS_ENDPOINT: "cache:6379", REDIS_PORT: "6390" }))
      assert.include(error.message, "REDIS_PORT")
      assert.include(error.message, "contradicts")
    })
  )
})
