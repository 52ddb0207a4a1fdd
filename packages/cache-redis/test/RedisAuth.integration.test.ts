import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { assert, describe, it } from "@effect/vitest"
import type * as CacheStore from "@leat/core/CacheStore"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"

import { RedisServer, tell } from "../../../scripts/redis-server.ts"
import { freePort } from "../../../scripts/servers/loopback.ts"
import { temporaryDir } from "../../../scripts/servers/temporary-dir.ts"
import { sign } from "../src/internal/iam.ts"
import * as RedisStore from "../src/RedisStore.ts"

const openssl = (...args: ReadonlyArray<string>) => execFileSync("openssl", args, { stdio: "pipe" })

/** An authority and a certificate of it for localhost, as files. */
const certificates = Effect.acquireRelease(
  Effect.sync(() => {
    const dir = temporaryDir("leat-tls-")
    const at = (name: string) => join(dir.path, name)
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", ...key, "-keyout", at("ca.key"), "-out", at("ca.pem"), "-days", "2", "-subj", "/CN=test")
    openssl("req", ...key, "-keyout", at("server.key"), "-out", at("server.csr"), "-subj", "/CN=localhost")
    writeFileSync(at("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1")
    const signing = [
      "-CA",
      at("ca.pem"),
      "-CAkey",
      at("ca.key"),
      "-CAcreateserial",
      "-days",
      "2",
      "-extfile",
      at("names")
    ]
    openssl("x509", "-req", "-in", at("server.csr"), "-out", at("server.pem"), ...signing)
    return { at, ca: readFileSync(at("ca.pem"), "utf8"), discard: dir.discard }
  }),
  ({ discard }) => Effect.sync(discard)
)

/** A server that speaks TLS at one port, and for the test's own words plainly at another. */
const secured = Effect.gen(function* () {
  const { at, ca } = yield* certificates
  const tlsPort = yield* Effect.promise(() => freePort())
  const files = [
    "--tls-cert-file",
    at("server.pem"),
    "--tls-key-file",
    at("server.key"),
    "--tls-ca-cert-file",
    at("ca.pem")
  ]
  const flags = ["--tls-port", String(tlsPort), ...files, "--tls-auth-clients", "no"]
  const server = yield* Effect.acquireRelease(
    Effect.promise(() => RedisServer.start({ flags })),
    (started) => Effect.promise(() => started.kill())
  )
  return { server, ca, tlsPort }
})

const entry: CacheStore.Entry = { key: "a", value: Buffer.from("[1]"), ttl: 600_000 }

const isUsed = (store: CacheStore.CacheStore["Service"]) =>
  Effect.map(Effect.andThen(store.setMany([entry]), store.getMany(["a"])), ([value]) => String(value) === "[1]")

const reasonOf = <A>(effect: Effect.Effect<A, CacheStore.CacheStoreError>) =>
  Effect.match(effect, { onFailure: ({ reason }) => reason, onSuccess: () => "none" as const })

describe("TLS", () => {
  it.live("is spoken to a server whose authority is known, and to no other", () =>
    Effect.gen(function* () {
      const { ca, tlsPort } = yield* secured
      const trusting = yield* RedisStore.make({ host: "localhost", port: tlsPort, tls: true, ca })
      assert.isTrue(yield* isUsed(trusting))
      const careful = yield* RedisStore.make({ host: "localhost", port: tlsPort, tls: true })
      assert.strictEqual(yield* reasonOf(careful.getMany(["a"])), "Closed")
      const plain = yield* RedisStore.make({ host: "localhost", port: tlsPort })
      assert.notStrictEqual(yield* reasonOf(plain.getMany(["a"])), "none")
    }).pipe(Effect.scoped)
  )
})

describe("a user with a password", () => {
  it.live("may do what the cache needs and nothing else", () =>
    Effect.gen(function* () {
      const server = yield* Effect.acquireRelease(
        Effect.promise(() => RedisServer.start()),
        (started) => Effect.promise(() => started.kill())
      )
      const rights = ["~*", "+mget", "+eval", "+evalsha", "+set", "+del", "+get", "+ping", "+quit", "+select", "+info"]
      yield* Effect.promise(() => tell(server.port, "ACL", "SETUSER", "app", "on", ">secret", ...rights))
      const options = { host: server.host, port: server.port, username: "app" }
      const store = yield* RedisStore.make({ ...options, password: Redacted.make("secret") })
      assert.isTrue(yield* isUsed(store))
      yield* store.invalidate(["a"], yield* Clock.currentTimeMillis)
      const wrong = yield* RedisStore.make({ ...options, password: Redacted.make("guess") })
      assert.strictEqual(yield* reasonOf(wrong.getMany(["a"])), "Auth")
    }).pipe(Effect.scoped)
  )
})

describe("IAM", () => {
  const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "hidden-key" }
  const request = { cacheName: "movies", serverless: false, region: "eu-west-1", username: "app" }

  /** Any token of the next seconds is a password of the user: AWS would compute them likewise. */
  const allow = (port: number, from: number) =>
    Effect.promise(async () => {
      const times = Array.from({ length: 20 }, (_, second) => from + (second - 5) * 1_000)
      const tokens = await Promise.all(times.map((time) => sign(request, credentials, time)))
      const passwords = [...new Set(tokens)].map((token) => `>${token}`)
      await tell(port, "ACL", "SETUSER", "app", "reset", "on", "~*", "+@all", ...passwords)
    })

  const authentications = (port: number) =>
    Effect.promise(async () =>
      Number(/cmdstat_auth:calls=(\d+)/.exec(await tell(port, "INFO", "commandstats"))?.[1] ?? 0)
    )

  it.live("authenticates with a token, with a new one after a loss, and again before the connection is too old", () =>
    Effect.gen(function* () {
      const { ca, server, tlsPort } = yield* secured
      const real = yield* Clock.Clock
      let ahead = 0
      const clock: Clock.Clock = {
        sleep: (duration) => real.sleep(duration),
        currentTimeMillisUnsafe: () => real.currentTimeMillisUnsafe() + ahead,
        currentTimeMillis: Effect.sync(() => real.currentTimeMillisUnsafe() + ahead),
        currentTimeNanosUnsafe: () => real.currentTimeNanosUnsafe(),
        currentTimeNanos: real.currentTimeNanos,
        monotonicTimeNanosUnsafe: () => real.monotonicTimeNanosUnsafe(),
        monotonicTimeNanos: real.monotonicTimeNanos
      }
      yield* allow(server.port, clock.currentTimeMillisUnsafe())
      const store = yield* RedisStore.make({
        host: "localhost",
        port: tlsPort,
        ca,
        username: "app",
        iam: { cacheName: "Movies", region: "eu-west-1", credentials: async () => credentials }
      }).pipe(Effect.provideService(Clock.Clock, clock))
      assert.isTrue(yield* store.ready("5 seconds"))
      assert.isTrue(yield* isUsed(store))
      // Eleven minutes later, as after a Lambda's freeze: the old token is nothing to show any more.
      ahead = 660_000
      yield* allow(server.port, clock.currentTimeMillisUnsafe())
      assert.strictEqual(yield* authentications(server.port), 0)
      yield* reasonOf(store.getMany(["a"]))
      yield* Effect.sleep(50)
      yield* reasonOf(store.getMany(["a"]))
      yield* Effect.sleep(50)
      assert.strictEqual(yield* authentications(server.port), 1)
      yield* Effect.promise(() => tell(server.port, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
      assert.isTrue(yield* store.ready("5 seconds"))
      assert.isTrue(yield* isUsed(store))
    }).pipe(Effect.scoped)
  )

  it.live("without credentials is an error of the store that keeps its secrets, and is tried again", () => {
    const logs: Array<string> = []
    const logger = Logger.make(({ message }) => void logs.push(String(message)))
    return Effect.gen(function* () {
      const { ca, server, tlsPort } = yield* secured
      let broken = true
      yield* allow(server.port, yield* Clock.currentTimeMillis)
      const store = yield* RedisStore.make({
        host: "localhost",
        port: tlsPort,
        ca,
        username: "app",
        iam: {
          cacheName: "movies",
          region: "eu-west-1",
          credentials: () => (broken ? Promise.reject(new Error("hidden-key")) : Promise.resolve(credentials))
        }
      })
      assert.strictEqual(yield* reasonOf(store.getMany(["a"])), "Auth")
      broken = false
      assert.isTrue(yield* store.ready("5 seconds"))
      assert.isTrue(yield* isUsed(store))
      assert.notInclude(logs.join("\n"), "hidden-key")
      assert.strictEqual(logs.length, 2, logs.join("\n"))
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])))
  })
})
