import { assert, describe, it } from "@effect/vitest"
import type * as CacheStore from "@leat/core/CacheStore"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { Redis } from "ioredis"

import { RedisServer } from "../../../scripts/redis-server.ts"
import { RedisWire } from "../../../scripts/redis-wire.ts"
import * as RedisStore from "../src/RedisStore.ts"

/** The longest a batch may take, and what a loaded test machine adds to it. */
const timeout = 100
const slack = 60

const server = Effect.acquireRelease(
  Effect.promise(() => RedisServer.start()),
  (started) => Effect.promise(() => started.kill())
)

const optionsOf = ({ host, port }: { readonly host: string; readonly port: number }): RedisStore.Options => ({
  host,
  port,
  timeout
})

/** The result of one read, `hit`, `miss` or the reason of its failure, and how long it took in milliseconds. */
const read = Effect.fnUntraced(function* (store: CacheStore.CacheStore["Service"]) {
  const start = performance.now()
  const result = yield* store.getMany(["a"]).pipe(
    Effect.match({
      onFailure: (error) => error.reason,
      onSuccess: ([value]) => (value === undefined ? "miss" : "hit")
    })
  )
  return { result, took: performance.now() - start }
})

const write = (store: CacheStore.CacheStore["Service"]) =>
  store.setMany([{ key: "a", value: Buffer.from("[1]"), ttl: 600_000 }])

/** Reads until one is answered; gives how long that took. */
const recovered = Effect.fnUntraced(function* (store: CacheStore.CacheStore["Service"]) {
  const start = performance.now()
  yield* store.getMany(["a"]).pipe(Effect.retry({ schedule: Schedule.spaced("5 millis") }))
  return performance.now() - start
})

const within = (took: number, limit: number): void => assert.isBelow(took, limit, `took ${took} ms`)

/** The texts logged while an effect ran. */
const logsOf = <A, E, R>(effect: (logs: ReadonlyArray<string>) => Effect.Effect<A, E, R>) => {
  const logs: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void logs.push(`${logLevel} ${String(message)}`))
  return effect(logs).pipe(Effect.provide(Logger.layer([logger])))
}

const commands = async (port: number, name: string): Promise<number> => {
  const client = new Redis(port)
  try {
    const stats = await client.info("commandstats")
    return Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
  } finally {
    client.disconnect()
  }
}

describe("a Redis that refuses connections at the start", () => {
  it.live("delays neither the layer nor a read, and is used when it comes", () =>
    Effect.gen(function* () {
      const first = yield* server
      yield* Effect.promise(() => first.kill())
      const start = performance.now()
      const store = yield* RedisStore.make(optionsOf(first))
      within(performance.now() - start, 300 + slack)
      for (let i = 0; i < 20; i++) {
        const { result, took } = yield* read(store)
        assert.strictEqual(result, "Closed")
        within(took, slack)
      }
      assert.isFalse(yield* store.ready("10 millis"))
      const second = yield* Effect.acquireRelease(
        Effect.promise(() => RedisServer.start({ port: first.port })),
        (started) => Effect.promise(() => started.kill())
      )
      assert.isTrue(yield* store.ready("5 seconds"))
      yield* write(store)
      assert.strictEqual((yield* read(store)).result, "hit")
      assert.strictEqual(second.port, first.port)
    }).pipe(Effect.scoped)
  )
})

describe("a Redis that is killed", () => {
  it.live("fails reads at once and is used again after its restart, without a replay", () =>
    Effect.gen(function* () {
      const first = yield* server
      const store = yield* RedisStore.make(optionsOf(first))
      yield* write(store)
      assert.strictEqual((yield* read(store)).result, "hit")
      yield* Effect.promise(() => first.kill())
      for (let i = 0; i < 50; i++) {
        const { result, took } = yield* read(store)
        assert.strictEqual(result, "Closed")
        within(took, slack)
      }
      const second = yield* Effect.acquireRelease(
        Effect.promise(() => RedisServer.start({ port: first.port })),
        (started) => Effect.promise(() => started.kill())
      )
      assert.isTrue(yield* store.ready("5 seconds"))
      assert.strictEqual(yield* Effect.promise(() => commands(second.port, "mget")), 0)
      assert.strictEqual((yield* read(store)).result, "miss")
    }).pipe(Effect.scoped)
  )
})

describe("a connection that the server cut", () => {
  it.live("is replaced under a read that meets it, which is still answered", () =>
    Effect.gen(function* () {
      const { host, port } = yield* server
      const store = yield* RedisStore.make(optionsOf({ host, port }))
      const other = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis(port)),
        (client) => Effect.sync(() => client.disconnect())
      )
      yield* write(store)
      for (let i = 0; i < 5; i++) {
        yield* Effect.promise(() => other.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
        const { result, took } = yield* read(store)
        assert.strictEqual(result, "hit")
        within(took, timeout + slack)
      }
    }).pipe(Effect.scoped)
  )
})

describe("a Redis that is frozen", () => {
  it.live("costs three reads their time, then none, and is used again when it thaws, without a replay", () =>
    Effect.gen(function* () {
      const frozen = yield* server
      const store = yield* RedisStore.make(optionsOf(frozen))
      yield* write(store)
      const before = yield* Effect.promise(() => commands(frozen.port, "mget"))
      frozen.freeze()
      for (let i = 0; i < 3; i++) {
        const { result, took } = yield* read(store)
        assert.strictEqual(result, "Timeout")
        within(took, timeout + slack)
      }
      for (let i = 0; i < 50; i++) {
        const { result, took } = yield* read(store)
        assert.strictEqual(result, "Open")
        within(took, slack)
      }
      yield* Effect.sleep("700 millis")
      within((yield* read(store)).took, slack)
      frozen.thaw()
      within(yield* recovered(store), 3_000)
      assert.strictEqual((yield* read(store)).result, "hit")
      // The reads that had been sent before it was given up, and the two after.
      const after = yield* Effect.promise(() => commands(frozen.port, "mget"))
      assert.isAtMost(after - before, 3 + 2)
    }).pipe(Effect.scoped)
  )

  it.live("delays neither the layer nor its end", () =>
    Effect.gen(function* () {
      const frozen = yield* server
      frozen.freeze()
      const start = performance.now()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* RedisStore.make(optionsOf(frozen))
          within((yield* read(store)).took, slack)
        })
      )
      within(performance.now() - start, 300 + 2 * slack)
    }).pipe(Effect.scoped)
  )
})

const wire = (port: number) =>
  Effect.acquireRelease(
    Effect.promise(() => RedisWire.start(port)),
    (started) => Effect.promise(() => started.stop())
  )

describe("a connection that is open on our side alone", () => {
  it.live("is given up and replaced", () =>
    Effect.gen(function* () {
      const { host, port } = yield* server
      const between = yield* wire(port)
      const store = yield* RedisStore.make(optionsOf({ host, port: between.port }))
      yield* write(store)
      between.blackHole = true
      within((yield* read(store)).took, timeout + slack)
      between.blackHole = false
      within(yield* recovered(store), 4 * timeout + 2 * slack)
    }).pipe(Effect.scoped)
  )
})

describe("a Redis that is slower than the time of a batch", () => {
  it.live("costs three reads their time, then none, until a PING is answered in time", () =>
    Effect.gen(function* () {
      const { host, port } = yield* server
      const between = yield* wire(port)
      const store = yield* RedisStore.make(optionsOf({ host, port: between.port }))
      yield* write(store)
      between.delay = 200
      let slow = 0
      const end = performance.now() + 1_500
      while (performance.now() < end) {
        const { result, took } = yield* read(store)
        assert.oneOf(result, ["Timeout", "Open"])
        within(took, timeout + slack)
        if (took > slack) slow++
        yield* Effect.sleep("5 millis")
      }
      assert.isAtMost(slow, 3)
      between.delay = 0
      within(yield* recovered(store), 4_000)
    }).pipe(Effect.scoped)
  )
})

describe("a password that is wrong", () => {
  it.live("is said once, without the password, and fails reads at once", () =>
    logsOf((logs) =>
      Effect.gen(function* () {
        const { host, port } = yield* server
        const other = yield* Effect.acquireRelease(
          Effect.sync(() => new Redis(port)),
          (client) => Effect.sync(() => client.disconnect())
        )
        yield* Effect.promise(() => other.config("SET", "requirepass", "right"))
        const store = yield* RedisStore.make({ ...optionsOf({ host, port }), password: Redacted.make("wrong-secret") })
        const { result, took } = yield* read(store)
        assert.strictEqual(result, "Auth")
        within(took, slack)
        yield* Effect.sleep("500 millis")
        assert.strictEqual(logs.length, 1, logs.join("\n"))
        assert.notInclude(logs.join("\n"), "wrong-secret")
        yield* Effect.promise(() => other.config("SET", "requirepass", "wrong-secret"))
        assert.isTrue(yield* store.ready("5 seconds"))
        yield* write(store)
        assert.strictEqual(logs.length, 2, logs.join("\n"))
      }).pipe(Effect.scoped)
    )
  )

  it.live("that is missing fails reads at once", () =>
    Effect.gen(function* () {
      const { host, port } = yield* server
      const other = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis(port)),
        (client) => Effect.sync(() => client.disconnect())
      )
      yield* Effect.promise(() => other.config("SET", "requirepass", "right"))
      const store = yield* RedisStore.make(optionsOf({ host, port }))
      assert.strictEqual((yield* read(store)).result, "Auth")
      const right = yield* RedisStore.make({ ...optionsOf({ host, port }), password: Redacted.make("right") })
      yield* write(right)
    }).pipe(Effect.scoped)
  )
})

describe("a Redis that refuses writes", () => {
  it.live("still answers reads", () =>
    Effect.gen(function* () {
      const { host, port } = yield* server
      const other = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis(port)),
        (client) => Effect.sync(() => client.disconnect())
      )
      const store = yield* RedisStore.make(optionsOf({ host, port }))
      yield* write(store)
      yield* Effect.promise(() => other.config("SET", "maxmemory", "1"))
      const error = yield* Effect.flip(write(store))
      assert.strictEqual(error.reason, "Server")
      assert.strictEqual((yield* read(store)).result, "hit")
    }).pipe(Effect.scoped)
  )
})

describe("the end of the scope", () => {
  it.live("leaves no connection", () =>
    Effect.gen(function* () {
      const { host, port } = yield* server
      yield* Effect.scoped(Effect.flatMap(RedisStore.make(optionsOf({ host, port })), write))
      const client = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis(port)),
        (opened) => Effect.sync(() => opened.disconnect())
      )
      const clients = yield* Effect.promise(() => client.client("LIST"))
      assert.strictEqual(String(clients).trim().split("\n").length, 1)
    }).pipe(Effect.scoped)
  )
})
