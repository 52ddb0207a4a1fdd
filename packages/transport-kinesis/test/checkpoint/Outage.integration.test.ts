/** Servers that stand still, hang up, refuse us or hold what is not ours: an error in time, and never an empty answer. */
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"

import * as PgConnection from "@effect/sql-pg/PgConnection"
import { assert, describe, it } from "@effect/vitest"
import * as Cluster from "@leat/transport-kinesis/assignment/Cluster"
import * as PostgresLeases from "@leat/transport-kinesis/assignment/cluster/PostgresLeases"
import * as RedisLeases from "@leat/transport-kinesis/assignment/cluster/RedisLeases"
import { CheckpointStore } from "@leat/transport-kinesis/Checkpoint"
import type { CheckpointError, Group } from "@leat/transport-kinesis/Checkpoint"
import * as Postgres from "@leat/transport-kinesis/checkpoint/Postgres"
import * as Redis from "@leat/transport-kinesis/checkpoint/Redis"
import * as ShardPosition from "@leat/transport-kinesis/ShardPosition"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { Redis as Client } from "ioredis"
import { inject } from "vitest"

import { PostgresServer } from "../../../../scripts/postgres-server.ts"
import { RedisServer } from "../../../../scripts/redis-server.ts"

const timeout = 400
const slack = 400

const group: Group = { application: "shop", stream: "orders@1" }
const shardId = "shardId-000000000000"
const rows = [{ shardId, position: ShardPosition.trimHorizon }]

const calls: {
  readonly [operation: string]: (store: CheckpointStore["Service"]) => Effect.Effect<unknown, CheckpointError>
} = {
  list: (store) => store.list(group),
  create: (store) => store.create(group, rows),
  acquire: (store) => store.acquire(group, shardId, "a"),
  advance: (store) => store.advance(group, { shardId, token: 1, revision: 1, position: ShardPosition.end }),
  remove: (store) => store.remove(group, [shardId])
}

const timed = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const start = performance.now()
    const result = yield* self
    return { result, took: performance.now() - start }
  })

const errorOf = <E>(call: Effect.Effect<unknown, E>): Effect.Effect<E> =>
  Effect.matchEffect(call, { onFailure: Effect.succeed, onSuccess: () => Effect.die("it succeeded") })

const failsInTime = Effect.fnUntraced(function* (call: Effect.Effect<unknown, CheckpointError>) {
  const { result, took } = yield* timed(errorOf(call))
  assert.deepStrictEqual([result.reason, result.retryable], ["Unavailable", true], result.message)
  assert.isBelow(took, timeout + slack)
  return result
})

interface Kind {
  readonly name: string
  readonly start: () => Promise<{
    readonly url: string
    readonly server: Pick<RedisServer, "freeze" | "thaw" | "kill" | "stop">
  }>
  readonly layer: (url: string) => Layer.Layer<CheckpointStore, CheckpointError>
  readonly urlTo: (port: number) => string
}

const redis: Kind = {
  name: "Redis",
  start: async () => {
    const server = await RedisServer.start()
    return { url: `redis://${server.host}:${server.port}`, server }
  },
  layer: (url) => Redis.layer({ url: Redacted.make(url), timeout }),
  urlTo: (port) => `redis://127.0.0.1:${port}`
}

const postgres: Kind = {
  name: "PostgreSQL",
  start: async () => {
    const server = await PostgresServer.start()
    return { url: server.url, server }
  },
  layer: (url) => Postgres.layer({ url: Redacted.make(url), timeout, maxConnections: 2 }),
  urlTo: (port) => `postgres://u:geheim@127.0.0.1:${port}/d`
}

const storeIn = (layer: Layer.Layer<CheckpointStore, CheckpointError>, scope: Scope.Scope) =>
  Effect.map(Layer.buildWithScope(layer, scope), (services) => Context.get(services, CheckpointStore))

/** Accepts connections, and never says a word. */
const blackHole = Effect.acquireRelease(
  Effect.promise(
    () =>
      new Promise<{ readonly port: number; readonly close: () => void }>((resolve) => {
        const sockets = new Set<{ destroy: () => void }>()
        const server = createServer((socket) => void sockets.add(socket.on("error", () => {})))
        const close = () => {
          for (const socket of sockets) socket.destroy()
          server.close()
        }
        server.listen(0, "127.0.0.1", () => resolve({ port: (server.address() as AddressInfo).port, close }))
      })
  ),
  ({ close }) => Effect.sync(close)
)

for (const kind of [redis, postgres]) {
  describe(`checkpoints on a ${kind.name}`, () => {
    it.live("that stands still or dies: every call fails in time, and succeeds when it goes on", () =>
      Effect.gen(function* () {
        const { server, url } = yield* Effect.acquireRelease(Effect.promise(kind.start), ({ server }) =>
          Effect.promise(async () => {
            server.thaw()
            await server.kill()
            await server.stop()
          })
        )
        const scope = yield* Scope.make()
        const store = yield* storeIn(kind.layer(url), scope)
        yield* store.create(group, rows)
        assert.strictEqual((yield* store.acquire(group, shardId, "a"))?.token, 1)

        server.freeze()
        for (const [operation, call] of Object.entries(calls)) {
          const error = yield* failsInTime(call(store))
          assert.strictEqual(error.operation, operation)
        }
        yield* failsInTime(Effect.scoped(Effect.flatMap(Effect.scope, (own) => storeIn(kind.layer(url), own))))

        server.thaw()
        const patient = { schedule: Schedule.spaced("50 millis"), times: 100 }
        const row = yield* Effect.retry(store.acquire(group, shardId, "b"), patient)
        // What was given up may have been done all the same: the removal too, which was the last of them.
        if (row !== undefined) assert.isAtLeast(row.token, 2)
        yield* Effect.retry(store.create(group, rows), patient)

        server.freeze()
        const { took } = yield* timed(Scope.close(scope, Exit.void))
        assert.isBelow(took, 3_000, "closing waits for nobody")
        server.thaw()

        yield* Effect.gen(function* () {
          const store = yield* CheckpointStore
          yield* Effect.promise(() => server.kill())
          for (const call of Object.values(calls)) yield* failsInTime(call(store))
        }).pipe(Effect.provide(kind.layer(url)))
      }).pipe(Effect.scoped)
    )

    it.live("whose port nobody listens on, or is a black hole, fail where they are built", () =>
      Effect.gen(function* () {
        const { port } = yield* blackHole
        yield* failsInTime(Effect.scoped(Layer.build(kind.layer(kind.urlTo(port)))))
        const error = yield* failsInTime(Effect.scoped(Layer.build(kind.layer(kind.urlTo(1)))))
        assert.include(error.message, "127.0.0.1:1")
        assert.notInclude(JSON.stringify(error), "geheim")
      }).pipe(Effect.scoped)
    )

    it.live("whose URL is none are refused without repeating it", () =>
      Effect.gen(function* () {
        const error = yield* errorOf(Effect.scoped(Layer.build(kind.layer("https://u:geheim@host"))))
        assert.deepStrictEqual([error.reason, error.retryable], ["Refused", false])
        assert.notInclude(error.message, "geheim")
      })
    )
  })
}

const refused = Effect.fnUntraced(function* (layer: Layer.Layer<CheckpointStore, CheckpointError>) {
  const error = yield* errorOf(Effect.scoped(Layer.build(layer)))
  assert.deepStrictEqual([error.reason, error.retryable], ["Refused", false], error.message)
  assert.notInclude(JSON.stringify(error.cause ?? error.message), "geheim")
})

describe("a server that does not let us in", () => {
  it.live("is a refusal: Redis", () => {
    const { host, port } = inject("redis")
    return refused(Redis.layer({ url: Redacted.make(`redis://nobody:geheim@${host}:${port}`), timeout: 2_000 }))
  })

  it.live("is a refusal: PostgreSQL", () => {
    const { host, port } = inject("postgres")
    return refused(Postgres.layer({ url: Redacted.make(`postgres://nobody:geheim@${host}:${port}/postgres`) }))
  })
})

describe("a row that none of our versions wrote", () => {
  const own: Group = { application: `corrupt-${globalThis.crypto.randomUUID()}`, stream: "s" }

  const corrupt = Effect.gen(function* () {
    const store = yield* CheckpointStore
    yield* store.create(own, rows)
    const spoil = (spoiling: Promise<unknown>) => Effect.promise(() => spoiling)
    const judge = Effect.gen(function* () {
      for (const call of [store.list(own), store.acquire(own, shardId, "a")]) {
        const error = yield* errorOf(call)
        assert.deepStrictEqual([error.reason, error.retryable], ["Corrupt", false])
        assert.include(error.message, shardId)
      }
    })
    return { spoil, judge }
  })

  it.live("is named, on Redis", () =>
    Effect.gen(function* () {
      const { judge, spoil } = yield* corrupt
      const client = new Client(inject("redis").url)
      yield* spoil(
        client.hset(`leat:checkpoints:${JSON.stringify([own.application, own.stream])}`, shardId, "nonsense")
      )
      client.disconnect()
      yield* judge
    }).pipe(Effect.provide(Redis.layer({ url: Redacted.make(inject("redis").url) })))
  )

  it.live("is named, on PostgreSQL", () =>
    Effect.gen(function* () {
      const { judge } = yield* corrupt
      const connection = yield* PgConnection.make({ url: Redacted.make(inject("postgres").url) })
      yield* connection.query("UPDATE leat_checkpoints SET position = 'nonsense' WHERE application = $1", [
        own.application
      ])
      yield* judge
    }).pipe(Effect.scoped, Effect.provide(Postgres.layer({ url: Redacted.make(inject("postgres").url) })))
  )
})

describe("tables and keys", () => {
  it.live("are made by whoever starts first, of eight that start at once", () =>
    Effect.gen(function* () {
      const database = yield* freshDatabase
      const start = Effect.scoped(
        Effect.gen(function* () {
          yield* Layer.build(Postgres.layer({ url: database }))
          yield* PostgresLeases.open(database, "n", 5_000)
        })
      )
      yield* Effect.forEach(Array.from({ length: 8 }), () => start, { concurrency: "unbounded", discard: true })
    }).pipe(Effect.scoped)
  )
})

const freshDatabase = Effect.gen(function* () {
  const url = new URL(inject("postgres").url)
  const name = `leat_${process.pid}_${performance.now().toString(36).replace(".", "")}`
  const connection = yield* PgConnection.make({ url: Redacted.make(url.href) })
  yield* connection.query(`CREATE DATABASE ${name}`)
  url.pathname = `/${name}`
  return Redacted.make(url.href)
})

describe("leases", () => {
  it.live("are in the namespace that SHARD_NAMESPACE names", () =>
    Effect.gen(function* () {
      const [SHARD_NAMESPACE, { url }] = [globalThis.crypto.randomUUID(), inject("redis")]
      const env = { SHARD_ASSIGNMENT: "redis", REDIS_URL: url, SHARD_NAMESPACE }
      const environment = ConfigProvider.layer(ConfigProvider.fromEnv({ env }))
      yield* Layer.build(Cluster.layerConfig({ namespace: "of the program" }).pipe(Layer.provide(environment)))
      const leases = yield* RedisLeases.open(Redacted.make(url), SHARD_NAMESPACE, 5_000)
      assert.strictEqual((yield* leases.machines).length, 1)
    }).pipe(Effect.scoped)
  )

  const stores = {
    Redis: () => RedisLeases.open(Redacted.make(inject("redis").url), globalThis.crypto.randomUUID(), 5_000),
    PostgreSQL: () => PostgresLeases.open(Redacted.make(inject("postgres").url), globalThis.crypto.randomUUID(), 5_000)
  }
  for (const [name, open] of Object.entries(stores)) {
    it.live(`are one machine's until they end, on ${name}`, () =>
      Effect.gen(function* () {
        const leases = yield* open()
        const [one, two, three] = ["s/1", "s/2 \\u0000'{}", "s/3"]
        const all = [one, two, three]
        assert.deepStrictEqual(yield* leases.machines, [])
        yield* leases.join("a", "offers", 60_000)
        yield* leases.join("b", "nothing", 60_000)
        yield* leases.join("b", '[["é🎬",["1"]]]', 60_000)
        const told = (yield* leases.machines).map(({ machine, offers }) => `${machine} ${offers}`)
        assert.deepStrictEqual(told.toSorted(), ["a offers", 'b [["é🎬",["1"]]]'])

        const taken = yield* leases.take("a", [three, one, two], 2, 60_000)
        assert.deepStrictEqual([...taken].toSorted(), [one, three], "in the order asked")
        assert.deepStrictEqual(yield* leases.unheld(all), [two])
        assert.deepStrictEqual(yield* leases.take("b", all, 3, 1), [two])
        assert.deepStrictEqual([...(yield* leases.keep("a", all, "more", 60_000))].toSorted(), [one, three])
        assert.isTrue((yield* leases.machines).some(({ offers }) => offers === "more"))
        assert.deepStrictEqual(yield* leases.keep("b", [], "", 60_000), [])

        yield* Effect.sleep(20)
        assert.deepStrictEqual(yield* leases.unheld(all), [two])
        assert.deepStrictEqual(yield* leases.take("a", [two], 1, 60_000), [two], "the lease of b has ended")
        assert.deepStrictEqual(yield* leases.keep("b", [two], "", 60_000), [])

        yield* leases.free("b", [one])
        assert.deepStrictEqual(yield* leases.take("b", [one], 1, 60_000), [], "only the holder frees")
        yield* leases.free("a", [one])
        assert.deepStrictEqual(yield* leases.take("b", [one], 1, 60_000), [one])

        yield* leases.leave("a")
        assert.deepStrictEqual(
          (yield* leases.machines).map(({ machine }) => machine),
          ["b"]
        )
        assert.deepStrictEqual(yield* leases.take("b", [two, three], 2, 60_000), [], "what a held stays its own")
        yield* leases.join("b", "", 1)
        yield* Effect.sleep(20)
        assert.deepStrictEqual(yield* leases.machines, [], "who says nothing is dead")
      }).pipe(Effect.scoped)
    )

    it.live(`are given once, of many machines that want all of them at once, on ${name}`, () =>
      Effect.gen(function* () {
        const leases = yield* open()
        const names = Array.from({ length: 60 }, (_, index) => `s/${index}`)
        const taken = yield* Effect.forEach(
          ["a", "b", "c", "d"],
          (machine, index) =>
            leases
              .take(machine, index % 2 === 0 ? names : names.toReversed(), 15, 60_000)
              .pipe(
                Effect.flatMap((some) =>
                  Effect.map(leases.take(machine, names, 15, 60_000), (more) => [...new Set([...some, ...more])])
                )
              ),
          { concurrency: "unbounded" }
        )
        const all = taken.flat()
        assert.strictEqual(new Set(all).size, all.length)
      }).pipe(Effect.scoped)
    )
  }
})
