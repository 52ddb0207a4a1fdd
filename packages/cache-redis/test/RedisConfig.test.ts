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
        assert.deepStrictEqual([config.endpoints, config.tls], [[{ host, port }], tls])
      })
    )
  }

  it.effect("may name user, password and database", () =>
    Effect.gen(function* () {
      const config = yield* read({ REDIS_ENDPOINT: "redis://ada:p%40ss@db:1/3" })
      assert.deepInclude(config, { username: "ada", database: 3 })
      assert.deepStrictEqual(config.endpoints, [{ host: "db", port: 1 }])
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
      for (const endpoint of ["cache", "cache:6390"]) {
        const { endpoints } = yield* read({ REDIS_ENDPOINT: endpoint, REDIS_PORT: "6390" })
        assert.deepStrictEqual(endpoints, [{ host: "cache", port: 6390 }])
      }
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

describe("REDIS_MODE", () => {
  it.effect("may be a cluster, of which some nodes are named", () =>
    Effect.gen(function* () {
      const config = yield* read({ REDIS_ENDPOINT: "a, b:7000 ,rediss://c", REDIS_MODE: "cluster" })
      assert.deepInclude(config, { mode: "cluster", tls: true })
      assert.deepStrictEqual(config.endpoints, [
        { host: "a", port: 6379 },
        { host: "b", port: 7000 },
        { host: "c", port: 6379 }
      ])
    })
  )

  it.effect("may be sentinels, who know a primary", () =>
    Effect.gen(function* () {
      const config = yield* read({
        REDIS_ENDPOINT: "a,b",
        REDIS_MODE: "sentinel",
        REDIS_SENTINEL_MASTER: "main",
        REDIS_SENTINEL_PASSWORD: "hidden",
        REDIS_PASSWORD: "secret"
      })
      assert.deepStrictEqual(config.endpoints, [
        { host: "a", port: 26_379 },
        { host: "b", port: 26_379 }
      ])
      assert.strictEqual(config.sentinel?.master, "main")
      assert.notMatch(JSON.stringify(config), /hidden|secret/)
    })
  )

  for (const [title, env, names] of [
    ["several servers without a mode", { REDIS_ENDPOINT: "a,b" }, ["REDIS_ENDPOINT", "REDIS_MODE"]],
    ["an unknown mode", { REDIS_MODE: "master" }, ["REDIS_MODE"]],
    ["sentinels without the primary's name", { REDIS_MODE: "sentinel" }, ["REDIS_SENTINEL_MASTER"]],
    ["a primary's name without sentinels", { REDIS_SENTINEL_MASTER: "m" }, ["REDIS_SENTINEL_MASTER", "REDIS_MODE"]],
    [
      "a database of a cluster",
      { REDIS_ENDPOINT: "redis://a/3", REDIS_MODE: "cluster" },
      ["REDIS_ENDPOINT", "REDIS_MODE"]
    ],
    ["authorities that can't be read", { REDIS_TLS_CA: "/does/not/exist" }, ["REDIS_TLS_CA"]]
  ] as const) {
    it.effect(`can't be ${title}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(read({ REDIS_ENDPOINT: "cache", ...env }))
        for (const name of names) assert.include(error.message, name)
      })
    )
  }
})

describe("REDIS_IAM_CACHE", () => {
  const good = {
    REDIS_ENDPOINT: "rediss://cache",
    REDIS_IAM_CACHE: "Movies",
    REDIS_USERNAME: "app",
    AWS_REGION: "eu-west-1"
  }

  it.effect("authenticates a user with tokens", () =>
    Effect.gen(function* () {
      const { iam, tls, username } = yield* read({ ...good, REDIS_IAM_SERVERLESS: "true" })
      assert.deepStrictEqual(
        [iam, tls, username],
        [{ cacheName: "Movies", region: "eu-west-1", serverless: true }, true, "app"]
      )
    })
  )

  for (const [title, env, name] of [
    ["without a user", { REDIS_USERNAME: "" }, "REDIS_USERNAME"],
    ["with a password", { REDIS_PASSWORD: "secret" }, "REDIS_PASSWORD"],
    ["without TLS", { REDIS_TLS: "false" }, "REDIS_TLS"],
    ["without a region", { AWS_REGION: "" }, "AWS_REGION"]
  ] as const) {
    it.effect(`can't be ${title}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(read({ ...good, ...env }))
        assert.include(error.message, name)
        assert.notInclude(error.message, "secret")
      })
    )
  }
})
