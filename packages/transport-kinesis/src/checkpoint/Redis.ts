/**
 * Checkpoints in Redis: one hash a group, one field a shard.
 *
 * **Guarantees.** Each call is one script, so one step on the server. No call takes longer than `timeout`; a Redis that is
 * away, frozen or refuses us is a typed error, never an empty answer. A group is one key: it lies in one slot of a cluster.
 *
 * **Gotchas.** A checkpoint is as durable as the Redis is. By default Redis writes a snapshot now and then: what came
 * after the last one is lost with a crash, and its records come again. With `appendonly yes` it loses a second at most. A
 * Redis that lost everything has no checkpoints: every shard begins at the starting position. Don't share one that evicts
 * keys (`maxmemory-policy allkeys-…`), as a cache does: the layer warns where it sees such settings. A failover to a
 * replica that lags may give a token a second time; what both owners handle then is for the journal to absorb.
 *
 * @see https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"

import { CheckpointStore } from "../Checkpoint.ts"
import type { Checkpoint, CheckpointError, Group } from "../Checkpoint.ts"
import * as CheckpointRow from "../internal/CheckpointRow.ts"
import * as RedisLink from "../internal/RedisLink.ts"
import * as ShardPosition from "../ShardPosition.ts"

/**
 * Where Redis is.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** `redis://[user:password@]host:port[/database]`, or `rediss://` for TLS. It is never printed. */
  readonly url: Redacted.Redacted
  /** What all keys begin with. Default `"leat:checkpoints:"`. */
  readonly prefix?: string | undefined
  /** How long a call may take. Default 5 s. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * Checkpoints in the Redis given. Fails where the first attempt to connect does.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<CheckpointStore, CheckpointError> =>
  Layer.effect(
    CheckpointStore,
    Effect.gen(function* () {
      const link = yield* Effect.mapError(
        RedisLink.open(options.url, Duration.toMillis(options.timeout ?? "5 seconds")),
        (fault) => CheckpointRow.fault("open", fault.reason, fault.message)
      )
      yield* warnings(link)
      return make(link, options.prefix ?? "leat:checkpoints:")
    })
  )

/**
 * Checkpoints in the Redis that `REDIS_URL` names.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig: Layer.Layer<CheckpointStore, CheckpointError | Config.ConfigError> = Layer.unwrap(
  Effect.map(Config.Redacted("REDIS_URL"), (url) => layer({ url }))
)

const warnings = ({ info, name }: RedisLink.RedisLink): Effect.Effect<void> =>
  Effect.flatMap(info, (fields) => {
    const policy = fields.get("maxmemory_policy") ?? ""
    const faults = [
      policy.startsWith("allkeys") ? `evicts keys (${policy}); checkpoints need noeviction` : "",
      fields.get("aof_enabled") === "0" ? "has no append-only file; a crash loses checkpoints (appendonly yes)" : ""
    ]
    return Effect.forEach(
      faults.filter((fault) => fault !== ""),
      (fault) => Effect.logWarning(`Redis at ${name} ${fault}`),
      { discard: true }
    )
  })

/**
 * A field holds `token revision position owner`; of these only the owner may hold a blank. Each script has the hash as its
 * one key.
 */
const format = `local function parse(row)
  local token, revision, position, owner = string.match(row, '^(%d+) (%d+) (%S+) (.*)$')
  if not token then return nil end
  return tonumber(token), tonumber(revision), position, owner
end
local function write(shard, token, revision, position, owner)
  redis.call('HSET', KEYS[1], shard, string.format('%.0f %.0f %s %s', token, revision, position, owner))
end
`

/** `ARGV`: shard, position, shard, position … */
const createScript = `for i = 1, #ARGV, 2 do redis.call('HSETNX', KEYS[1], ARGV[i], '0 0 ' .. ARGV[i + 1] .. ' ') end`

/** `ARGV`: shard, owner. Answers the row as it is then. */
const acquireScript = `${format}local row = redis.call('HGET', KEYS[1], ARGV[1])
if not row then return false end
local token, _, position = parse(row)
if not token then return row end
write(ARGV[1], token + 1, 0, position, ARGV[2])
return redis.call('HGET', KEYS[1], ARGV[1])`

/** `ARGV`: shard, token, revision, position. Answers 1 for the owner, 0 for anybody else, -1 where the row is not ours. */
const advanceScript = `${format}local row = redis.call('HGET', KEYS[1], ARGV[1])
if not row then return 0 end
local token, revision, _, owner = parse(row)
if not token then return -1 end
if token ~= tonumber(ARGV[2]) then return 0 end
if tonumber(ARGV[3]) > revision then write(ARGV[1], token, tonumber(ARGV[3]), ARGV[4], owner) end
return 1`

const listScript = `return redis.call('HGETALL', KEYS[1])`

const removeScript = `for i = 1, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end`

/** Most fields of one script: a server does nothing else meanwhile. */
const page = 500

const make = (link: RedisLink.RedisLink, prefix: string): CheckpointStore["Service"] => {
  const run = (
    operation: CheckpointRow.Operation,
    group: Group,
    script: string,
    args: ReadonlyArray<string | number>
  ): Effect.Effect<unknown, CheckpointError> =>
    Effect.mapError(link.run(script, [`${prefix}${CheckpointRow.groupName(group)}`], args), ({ message, reason }) =>
      CheckpointRow.fault(operation, reason, message)
    )
  const inPages = (
    operation: CheckpointRow.Operation,
    group: Group,
    script: string,
    items: ReadonlyArray<ReadonlyArray<string>>
  ) =>
    Effect.forEach(pages(items), (some) => run(operation, group, script, some.flat()), {
      discard: true
    })

  return {
    list: (group) =>
      Effect.flatMap(run("list", group, listScript, []), (reply) => CheckpointRow.readAll("list", rowsOf(reply))),
    create: (group, births) =>
      inPages(
        "create",
        group,
        createScript,
        births.map(({ position, shardId }) => [CheckpointRow.encodeName(shardId), ShardPosition.encode(position)])
      ),
    acquire: (group, shardId, owner) => {
      const names = [shardId, owner].map(CheckpointRow.encodeName)
      return Effect.flatMap(
        run("acquire", group, acquireScript, names),
        (row): Effect.Effect<Checkpoint | undefined, CheckpointError> =>
          typeof row === "string" ? CheckpointRow.read("acquire", rowOf(names[0] ?? "", row)) : Effect.undefined
      )
    },
    advance: (group, { position, revision, shardId, token }) => {
      const name = CheckpointRow.encodeName(shardId)
      const args = [name, token, revision, ShardPosition.encode(position)]
      return Effect.flatMap(run("advance", group, advanceScript, args), (answer) =>
        answer === -1 ? Effect.fail(unreadable(name)) : Effect.succeed(answer === 1)
      )
    },
    remove: (group, shardIds) =>
      inPages(
        "remove",
        group,
        removeScript,
        shardIds.map((shardId) => [CheckpointRow.encodeName(shardId)])
      )
  }
}

const pages = <A>(items: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(items.length / page) }, (_, index) => items.slice(index * page, (index + 1) * page))

/** `HGETALL` inside of a script answers field, value, field, value …, whatever the protocol. */
const rowsOf = (reply: unknown): ReadonlyArray<CheckpointRow.Stored> => {
  const flat = Array.isArray(reply) ? reply.map(String) : []
  return Array.from({ length: flat.length / 2 }, (_, index) => rowOf(flat[2 * index] ?? "", flat[2 * index + 1] ?? ""))
}

/** What is not in the format becomes a row that can't be read. */
const rowOf = (shardId: string, text: string): CheckpointRow.Stored => {
  const [, token = "-1", position = text, owner = ""] = /^(\d+) \d+ (\S+) (.*)$/.exec(text) ?? []
  return { shardId, position, token: Number(token), owner }
}

const unreadable = (shardId: string): CheckpointError =>
  CheckpointRow.fault(
    "advance",
    "Corrupt",
    `the checkpoint of ${shardId} can't be read; delete the field, and the shard is read from the starting position`
  )
