import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"

import { assert, describe, it } from "@effect/vitest"
import { CheckpointStore } from "@leat/transport-kinesis/Checkpoint"
import type { CheckpointError, Group } from "@leat/transport-kinesis/Checkpoint"
import * as Sqlite from "@leat/transport-kinesis/checkpoint/Sqlite"
import * as ShardPosition from "@leat/transport-kinesis/ShardPosition"
import * as CheckpointSuite from "@leat/transport-kinesis/testing/CheckpointSuite"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

CheckpointSuite.suite("SQLite", Sqlite.layer({ file: ":memory:" }))

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "leat-checkpoints-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const open = (file: string) =>
  Effect.map(Layer.build(Layer.fresh(Sqlite.layer({ file, timeout: 30 }))), (services) =>
    Context.get(services, CheckpointStore)
  )

const group: Group = { application: "shop", stream: "orders@1" }
const shardId = "shardId-000000000000"

const faultOf = (call: Effect.Effect<unknown, CheckpointError>) =>
  Effect.matchEffect(call, {
    onFailure: ({ operation, reason, retryable }) => Effect.succeed([operation, reason, retryable]),
    onSuccess: () => Effect.die("it succeeded")
  })

describe("a file of checkpoints", () => {
  it.effect("is made with its folder, shared, and there after a restart", () =>
    Effect.gen(function* () {
      const file = join(yield* folder, "deep", "checkpoints.sqlite")
      yield* Effect.scoped(
        Effect.gen(function* () {
          const [one, other] = [yield* open(file), yield* open(file)]
          yield* one.create(group, [{ shardId, position: ShardPosition.trimHorizon }])
          assert.strictEqual((yield* other.acquire(group, shardId, "b"))?.token, 1)
          assert.strictEqual((yield* one.acquire(group, shardId, "a"))?.token, 2)
        })
      )
      const again = yield* open(file)
      assert.deepStrictEqual(yield* again.list(group), [
        { shardId, position: ShardPosition.trimHorizon, token: 2, owner: "a" }
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("that another process holds is unavailable for now", () =>
    Effect.gen(function* () {
      const file = join(yield* folder, "checkpoints.sqlite")
      const store = yield* open(file)
      yield* store.create(group, [{ shardId, position: ShardPosition.trimHorizon }])
      const other = new DatabaseSync(file)
      other.exec("BEGIN IMMEDIATE")
      const write = { shardId, token: 1, revision: 1, position: ShardPosition.end }
      assert.deepStrictEqual(yield* faultOf(store.advance(group, write)), ["advance", "Unavailable", true])
      assert.deepStrictEqual(yield* faultOf(store.acquire(group, shardId, "a")), ["acquire", "Unavailable", true])
      assert.deepStrictEqual(yield* faultOf(store.create(group, [])), ["create", "Unavailable", true])
      assert.strictEqual((yield* store.list(group)).length, 1, "readers don't wait")
      other.close()
      assert.strictEqual((yield* store.acquire(group, shardId, "a"))?.token, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("that is none, or can't be made, is refused", () =>
    Effect.gen(function* () {
      const path = yield* folder
      writeFileSync(join(path, "text"), "This is no database, and long enough to be read as one: ".repeat(20))
      for (const file of [join(path, "text"), path, join(path, "text", "below")]) {
        assert.deepStrictEqual(yield* faultOf(Effect.scoped(open(file))), ["open", "Refused", false], file)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("with a row that none of our versions wrote is corrupt, and names the row", () =>
    Effect.gen(function* () {
      const file = join(yield* folder, "checkpoints.sqlite")
      const store = yield* open(file)
      yield* store.create(group, [{ shardId, position: ShardPosition.trimHorizon }])
      const other = new DatabaseSync(file)
      other.exec("UPDATE leat_checkpoints SET position = 'LATEST'")
      other.close()
      const error = yield* Effect.flip(store.list(group))
      assert.deepStrictEqual([error.reason, error.retryable], ["Corrupt", false])
      assert.include(error.message, shardId)
    }).pipe(Effect.scoped)
  )
})
