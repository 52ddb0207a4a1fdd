/**
 * What every {@link Checkpoint.CheckpointStore} must do, as tests.
 *
 * **Details**
 *
 * Every test has a group of its own, so a server may be shared. Nothing depends on the time.
 *
 * **Example** (A test file of an implementation)
 *
 * ```ts no-run
 * import * as Checkpoint from "@leat/transport-kinesis/Checkpoint"
 * import * as CheckpointSuite from "@leat/transport-kinesis/testing/CheckpointSuite"
 *
 * CheckpointSuite.suite("memory", Checkpoint.layerMemory)
 * ```
 *
 * @since 0.1.0
 */
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"

import { CheckpointStore } from "../Checkpoint.ts"
import type { Checkpoint, CheckpointError, Group } from "../Checkpoint.ts"
import * as ShardPosition from "../ShardPosition.ts"
import { fight } from "./checkpointSuite/concurrent.ts"
import { lose } from "./checkpointSuite/lossy.ts"
import { History, play } from "./checkpointSuite/random.ts"

/**
 * Declares the tests of a store.
 *
 * @category testing
 * @since 0.1.0
 */
export const suite = <E>(
  name: string,
  store: Layer.Layer<CheckpointStore, E>,
  options: {
    /** Random histories to play. Default 50. */
    readonly runs?: number | undefined
    /** Milliseconds a test may take. Default 10 s. */
    readonly timeout?: number | undefined
  } = {}
): void => {
  const { runs = 50, timeout = 10_000 } = options
  layer(store, { excludeTestServices: true })(`CheckpointStore on ${name}`, (it) => {
    const must: Must = (sentence, body) =>
      it.effect(
        sentence,
        () => Effect.flatMap(CheckpointStore, (store) => body({ store, group: freshGroup() })),
        timeout
      )
    describe("a group", () => {
      groups(must)
    })
    describe("a first position", () => {
      births(must)
    })
    describe("an owner", () => {
      owners(must)
    })
    describe("what is written", () => {
      keeping(must)
    })
    describe("many shards", () => {
      many(must)
    })
    it.effect.prop(
      "T30, T32, T33: over random interleavings of owners and lost answers, each answer is the model's",
      [History],
      ([history]) => Effect.flatMap(CheckpointStore, (store) => play(store, freshGroup(), history)),
      { timeout, arbitrary: { runs } }
    )
  })
}

interface World {
  readonly store: CheckpointStore["Service"]
  readonly group: Group
}

type Must = (sentence: string, body: (world: World) => Effect.Effect<void, CheckpointError>) => void

const freshGroup = (): Group => ({
  application: `suite-${globalThis.crypto.randomUUID()}`,
  stream: "orders@1767225600000"
})

const shardId = "shardId-000000000000"
const begin = ShardPosition.trimHorizon
const at = (number: number) => ShardPosition.after(String(number))

const begun = ({ group, store }: World) => store.create(group, [{ shardId, position: begin }])

const acquire = Effect.fnUntraced(function* ({ group, store }: World, owner: string) {
  const taken = yield* store.acquire(group, shardId, owner)
  return taken === undefined ? yield* Effect.die(`no row for ${owner}`) : taken.token
})

const positionOf = ({ group, store }: World) =>
  Effect.map(store.list(group), (rows) => rows.find((row) => row.shardId === shardId)?.position)

const groups = (must: Must): void => {
  must("is empty before its first shard", ({ group, store }) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* store.list(group), [])
      yield* store.create(group, [])
      yield* store.remove(group, [])
      assert.deepStrictEqual(yield* store.list(group), [])
    })
  )

  must("keeps its rows from other applications", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      const other = { ...world, group: { ...world.group, application: `${world.group.application}-2` } }
      assert.deepStrictEqual(yield* world.store.list(other.group), [])
      yield* begun(other)
      yield* acquire(other, "b")
      assert.strictEqual(yield* acquire(world, "a"), 1)
    })
  )

  must("T17: begins anew when the stream is made anew under its old name", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      yield* world.store.advance(world.group, {
        shardId,
        token: yield* acquire(world, "a"),
        revision: 1,
        position: ShardPosition.end
      })
      const anew = { ...world, group: { ...world.group, stream: "orders@1798761600000" } }
      assert.deepStrictEqual(yield* world.store.list(anew.group), [])
      yield* begun(anew)
      assert.deepStrictEqual(yield* positionOf(anew), begin)
      assert.deepStrictEqual(yield* positionOf(world), ShardPosition.end)
    })
  )

  must("has a name of any characters, and no other group's", ({ group, store }) =>
    Effect.gen(function* () {
      const odd = [
        "",
        " ",
        "é",
        "日本",
        "🎬",
        "\u0000",
        "\ud800",
        "a/b",
        'quo"te',
        "back\\slash",
        "{tag}",
        "}{",
        "a:b",
        "'",
        "%",
        "line\r\nend"
      ]
      const named = odd.flatMap((name): ReadonlyArray<Group> => [
        { application: `${group.application}${name}`, stream: "s" },
        { application: group.application, stream: name }
      ])
      yield* Effect.forEach(named, (one, index) => store.create(one, [{ shardId, position: at(index) }]))
      const found = yield* Effect.forEach(named, (one) => store.list(one))
      assert.deepStrictEqual(
        found,
        named.map((_, index) => [{ shardId, position: at(index), token: 0, owner: "" }])
      )
    })
  )
}

const births = (must: Must): void => {
  must("stands with token 0 and nobody as its owner", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      const expected: ReadonlyArray<Checkpoint> = [{ shardId, position: begin, token: 0, owner: "" }]
      assert.deepStrictEqual(yield* world.store.list(world.group), expected)
    })
  )

  must("leaves a row that is there as it is, also one of many", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      const token = yield* acquire(world, "a")
      yield* world.store.advance(world.group, { shardId, token, revision: 1, position: at(7) })
      const late = [shardId, "shardId-000000000001"].map((shardId) => ({ shardId, position: ShardPosition.end }))
      yield* world.store.create(world.group, late)
      const rows = yield* world.store.list(world.group)
      assert.deepStrictEqual(rows.map((row) => [row.shardId, row.position, row.token]).toSorted(), [
        [shardId, at(7), 1],
        ["shardId-000000000001", ShardPosition.end, 0]
      ])
    })
  )

  must(
    "T27: is written in the order given: who stops in the middle leaves none without those before it",
    ({ group, store }) =>
      Effect.gen(function* () {
        // Not in the order of their names, by which a store may list them.
        const shards = Array.from(
          { length: 60 },
          (_, index) => `shardId-${String((index * 37) % 60).padStart(12, "0")}`
        )
        const rows = shards.map((shardId) => ({ shardId, position: begin }))
        const creating = yield* Effect.forkChild(store.create(group, rows))
        while (creating.pollUnsafe() === undefined && (yield* store.list(group)).length === 0) yield* Effect.yieldNow
        yield* Fiber.interrupt(creating)
        const written = new Set((yield* store.list(group)).map((row) => row.shardId))
        assert.deepStrictEqual(written, new Set(shards.slice(0, written.size)))
      })
  )

  must("is written once by two processes that start at once", ({ group, store }) =>
    Effect.gen(function* () {
      const shards = Array.from({ length: 20 }, (_, index) => `shardId-${index}`)
      const rowsOf = (process: number) =>
        shards.map((shardId) => ({ shardId, position: ShardPosition.atTimestamp(process) }))
      yield* Effect.forEach(
        [1, 2, 3],
        (process) => store.create(group, process === 2 ? rowsOf(process).toReversed() : rowsOf(process)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual((yield* store.list(group)).length, shards.length)
    })
  )
}

const owners = (must: Must): void => {
  must("of a shard without a row is nobody", ({ group, store }) =>
    Effect.gen(function* () {
      assert.isUndefined(yield* store.acquire(group, shardId, "a"))
      assert.isFalse(yield* store.advance(group, { shardId, token: 0, revision: 1, position: at(1) }))
      assert.deepStrictEqual(yield* store.list(group), [])
    })
  )

  must("gets the position that the last one left, and the next token", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      const token = yield* acquire(world, "a")
      assert.isTrue(yield* world.store.advance(world.group, { shardId, token, revision: 1, position: at(41) }))
      const taken = yield* world.store.acquire(world.group, shardId, "b")
      assert.deepStrictEqual(taken, { shardId, position: at(41), token: 2, owner: "b" })
    })
  )

  must("T33: that was replaced changes nothing, however late it writes", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      const [zombie, successor] = [yield* acquire(world, "a"), yield* acquire(world, "b")]
      const { advance } = world.store
      assert.isTrue(yield* advance(world.group, { shardId, token: successor, revision: 1, position: at(5) }))
      assert.isFalse(yield* advance(world.group, { shardId, token: zombie, revision: 99, position: at(9) }))
      assert.isFalse(yield* advance(world.group, { shardId, token: successor + 1, revision: 99, position: at(9) }))
      assert.deepStrictEqual(yield* positionOf(world), at(5))
    })
  )

  must("T32: that takes its own shard again is fenced from its own earlier writes", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      const [before, after] = [yield* acquire(world, "a"), yield* acquire(world, "a")]
      assert.strictEqual(after, before + 1)
      assert.isFalse(yield* world.store.advance(world.group, { shardId, token: before, revision: 1, position: at(1) }))
      assert.isTrue(yield* world.store.advance(world.group, { shardId, token: after, revision: 1, position: at(2) }))
    })
  )

  must("never moves the row back: a number that is not above the last changes nothing", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      const token = yield* acquire(world, "a")
      const write = (revision: number, number: number) =>
        world.store.advance(world.group, { shardId, token, revision, position: at(number) })
      assert.isTrue(yield* write(2, 20))
      assert.isTrue(yield* write(1, 10))
      assert.isTrue(yield* write(2, 21))
      assert.deepStrictEqual(yield* positionOf(world), at(20))
      assert.isTrue(yield* write(10, 100))
      assert.isTrue(yield* write(9, 90))
      assert.deepStrictEqual(yield* positionOf(world), at(100))
    })
  )

  must("T34: repeats a write whose answer got lost without harm", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      const token = yield* acquire(world, "a")
      const write = { shardId, token, revision: 1, position: at(3) }
      const error = yield* lose(world.store, (store) => store.advance(world.group, write))
      assert.isTrue(error.retryable)
      assert.isTrue(yield* world.store.advance(world.group, write))
      assert.isTrue(yield* world.store.advance(world.group, { ...write, revision: 2, position: at(4) }))
      assert.isTrue(yield* world.store.advance(world.group, write))
      assert.deepStrictEqual(yield* positionOf(world), at(4))
    })
  )

  must("T34: whose acquisition was done and not answered takes the shard again", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      yield* lose(world.store, (store) => store.acquire(world.group, shardId, "a"))
      const token = yield* acquire(world, "a")
      assert.isTrue(yield* world.store.advance(world.group, { shardId, token, revision: 1, position: at(1) }))
    })
  )

  must("T37: whose row was deleted is told so, and makes no new one", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      const token = yield* acquire(world, "a")
      yield* world.store.remove(world.group, [shardId, "shardId-unknown"])
      assert.isFalse(yield* world.store.advance(world.group, { shardId, token, revision: 1, position: at(1) }))
      assert.deepStrictEqual(yield* world.store.list(world.group), [])
      assert.isUndefined(yield* world.store.acquire(world.group, shardId, "a"))
    })
  )

  must("T30, T33: of several that fight for a shard is the one with the highest token", ({ group, store }) =>
    fight(store, group, { owners: 6, writes: 8 })
  )
}

const keeping = (must: Must): void => {
  must("comes back as it was: every kind of position, and numbers of 128 bits", ({ group, store }) =>
    Effect.gen(function* () {
      const positions: ReadonlyArray<ShardPosition.ShardPosition> = [
        begin,
        ShardPosition.end,
        ShardPosition.atTimestamp(1_767_225_600_000),
        ShardPosition.after("49590338271490256608559692538361571095921575989136588898"),
        ShardPosition.after("340282366920938463463374607431768211455", 0),
        ShardPosition.after("0", 4_095)
      ]
      const rows = positions.map((position, index) => ({ shardId: `shardId-${index}`, position }))
      yield* store.create(group, rows)
      for (const { position, shardId } of rows) {
        const taken = yield* store.acquire(group, shardId, "a")
        assert.deepStrictEqual(taken?.position, position)
        yield* store.advance(group, { shardId, token: 1, revision: 1, position })
      }
      assert.deepStrictEqual(
        new Map((yield* store.list(group)).map((row) => [row.shardId, row.position])),
        new Map(rows.map((row) => [row.shardId, row.position]))
      )
    })
  )

  must("names shards and owners of any characters", ({ group, store }) =>
    Effect.gen(function* () {
      const odd = [
        " ",
        "é",
        "日本",
        "🎬",
        "\u0000",
        "\ud800",
        'quo"te',
        "back\\slash",
        "'",
        "a b c",
        "1 2 3 4",
        "line\r\nend",
        "-1"
      ]
      yield* store.create(
        group,
        odd.map((shardId) => ({ shardId, position: begin }))
      )
      for (const name of odd) {
        const taken = yield* store.acquire(group, name, name)
        assert.deepStrictEqual(taken, { shardId: name, position: begin, token: 1, owner: name })
        assert.isTrue(yield* store.advance(group, { shardId: name, token: 1, revision: 1, position: at(1) }))
      }
      const rows = yield* store.list(group)
      assert.deepStrictEqual(
        rows.map(({ owner, shardId }) => [shardId, owner]).toSorted(),
        odd.map((name) => [name, name]).toSorted()
      )
    })
  )

  must("counts tokens and revisions beyond 32 bits", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      const token = yield* acquire(world, "a")
      const write = (revision: number, number: number) =>
        world.store.advance(world.group, { shardId, token, revision, position: at(number) })
      assert.isTrue(yield* write(2 ** 52, 1))
      assert.isTrue(yield* write(2 ** 52 - 1, 2))
      assert.deepStrictEqual(yield* positionOf(world), at(1))
      assert.isTrue(yield* write(2 ** 52 + 1, 3))
      assert.deepStrictEqual(yield* positionOf(world), at(3))
    })
  )
}

const many = (must: Must): void => {
  const shards = Array.from({ length: 300 }, (_, index) => `shardId-${String(index).padStart(12, "0")}`)

  must("T27, T39: are all listed, each in a row of its own that moves alone", ({ group, store }) =>
    Effect.gen(function* () {
      // Long owners make a page of a store that counts bytes end before the last row.
      const owner = "machine".repeat(600)
      yield* store.create(
        group,
        shards.map((shardId) => ({ shardId, position: begin }))
      )
      yield* Effect.forEach(shards, (shardId) => store.acquire(group, shardId, owner), { concurrency: 16 })
      yield* Effect.forEach(
        shards.slice(0, 50),
        (shardId, index) => store.advance(group, { shardId, token: 1, revision: 1, position: at(index) }),
        { concurrency: 16 }
      )
      const rows = yield* store.list(group)
      assert.deepStrictEqual(
        rows.map((row) => [row.shardId, row.position, row.token]).toSorted(),
        shards.map((shardId, index) => [shardId, index < 50 ? at(index) : begin, 1])
      )
      yield* store.remove(group, shards.slice(0, 50))
      assert.deepStrictEqual((yield* store.list(group)).map((row) => row.shardId).toSorted(), shards.slice(50))
    })
  )
}
