/**
 * Random interleavings of owners, one call after the other, against a model.
 *
 * @since 0.1.0
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { Checkpoint, CheckpointError, CheckpointStore, Group } from "../../Checkpoint.ts"
import * as ShardPosition from "../../ShardPosition.ts"
import { lose } from "./lossy.ts"

const Step = Schema.Struct({
  does: Schema.Literals(["acquire", "advance", "advance", "advance", "repeat", "create", "remove", "list"]),
  owner: Schema.Literals(["a", "b", "c"]),
  shard: Schema.Literals(["shardId-0", "shardId-1"]),
  /** It is done, and its answer gets lost. */
  lost: Schema.Literals([false, false, false, true])
})

/**
 * What three owners do to two shards.
 *
 * @category schemas
 * @since 0.1.0
 */
export const History = Schema.Array(Step).check(Schema.isMinLength(1), Schema.isMaxLength(40))

interface Row extends Checkpoint {
  readonly revision: number
}

/** What an owner knows of a shard: its token, and how often it wrote under it. */
interface Known {
  readonly token: number
  readonly revision: number
}

interface World {
  readonly store: CheckpointStore["Service"]
  readonly group: Group
  readonly rows: Map<string, Row>
  readonly known: Map<string, Known>
}

/**
 * Plays a history and compares each answer, and the rows after each step, with the model's.
 *
 * @category testing
 * @since 0.1.0
 */
export const play = Effect.fnUntraced(function* (
  store: CheckpointStore["Service"],
  group: Group,
  history: typeof History.Type
) {
  const world: World = { store, group, rows: new Map(), known: new Map() }
  for (const [index, step] of history.entries()) {
    yield* steps[step.does](world, step, index)
    const rows = yield* store.list(group)
    assert.deepStrictEqual(new Map(rows.map((row) => [row.shardId, row])), checkpoints(world), `after step ${index}`)
    assert.strictEqual(rows.length, world.rows.size, "one row a shard")
  }
})

const checkpoints = ({ rows }: World): ReadonlyMap<string, Checkpoint> =>
  new Map([...rows].map(([shardId, { owner, position, token }]) => [shardId, { shardId, position, token, owner }]))

type Play = (world: World, step: typeof Step.Type, index: number) => Effect.Effect<void, CheckpointError>

const owned = ({ owner, shard }: typeof Step.Type) => `${owner}/${shard}`

const position = (index: number) => ShardPosition.after(String(index + 1))

/** What the store answers, or nothing where the answer gets lost. */
const ask = <A>(
  { store }: World,
  { lost }: typeof Step.Type,
  call: (store: CheckpointStore["Service"]) => Effect.Effect<A, CheckpointError>
): Effect.Effect<A | "lost", CheckpointError> => (lost ? Effect.as(lose(store, call), "lost") : call(store))

const create: Play = (world, step, index) =>
  Effect.gen(function* () {
    yield* ask(world, step, (store) => store.create(world.group, [{ shardId: step.shard, position: position(index) }]))
    if (world.rows.has(step.shard)) return
    world.rows.set(step.shard, { shardId: step.shard, position: position(index), token: 0, owner: "", revision: 0 })
  })

const remove: Play = (world, step) =>
  Effect.gen(function* () {
    yield* ask(world, step, (store) => store.remove(world.group, [step.shard]))
    world.rows.delete(step.shard)
    // Tokens begin again with a new row: who knew an old one is not asked any more.
    for (const owner of ["a", "b", "c"] as const) world.known.delete(owned({ ...step, owner }))
  })

const acquire: Play = (world, step) =>
  Effect.gen(function* () {
    const answer = yield* ask(world, step, (store) => store.acquire(world.group, step.shard, step.owner))
    const row = world.rows.get(step.shard)
    if (row === undefined) {
      assert.isTrue(answer === undefined || answer === "lost")
      return
    }
    const taken = { ...row, token: row.token + 1, owner: step.owner, revision: 0 }
    world.rows.set(step.shard, taken)
    if (answer !== "lost") {
      assert.deepStrictEqual(answer, checkpoints(world).get(step.shard))
      world.known.set(owned(step), { token: taken.token, revision: 0 })
    }
  })

const write = (world: World, step: typeof Step.Type, { revision, token }: Known, index: number) =>
  Effect.gen(function* () {
    const given = { shardId: step.shard, token, revision, position: position(index) }
    const answer = yield* ask(world, step, (store) => store.advance(world.group, given))
    const row = world.rows.get(step.shard)
    const isOwners = row !== undefined && row.token === token
    if (answer !== "lost") assert.strictEqual(answer, isOwners, "whether the row is the owner's")
    if (isOwners && revision > row.revision) world.rows.set(step.shard, { ...row, revision, position: position(index) })
  })

const advance: Play = (world, step, index) => {
  const { revision, token } = world.known.get(owned(step)) ?? never
  world.known.set(owned(step), { token, revision: revision + 1 })
  return write(world, step, { token, revision: revision + 1 }, index)
}

/** The same number again, with another position: only the first one counts. */
const repeat: Play = (world, step, index) => write(world, step, world.known.get(owned(step)) ?? never, index)

/** Somebody who never was an owner. */
const never: Known = { token: 1_000_000, revision: 1 }

const list: Play = (world, step) => Effect.asVoid(ask(world, step, (store) => store.list(world.group)))

const steps: { readonly [does in (typeof Step.Type)["does"]]: Play } = {
  acquire,
  advance,
  repeat,
  create,
  remove,
  list
}
