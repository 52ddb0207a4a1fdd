/**
 * Leases in Redis 5 or later: two keys a namespace, by the server's clock.
 *
 * **Gotchas.** A failover to a replica that lags may forget a lease, and two machines hold a slot until the one notices.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"

import * as RedisLink from "../../internal/RedisLink.ts"
import * as LeaseStore from "./LeaseStore.ts"

/**
 * `KEYS`: machines (a sorted set, by the end of their lives), slots (a hash: the end of the lease and the machine).
 * `ARGV[1]`: the machine, `ARGV[2]`: the lease in ms.
 */
const prelude = `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function holder(slot)
  local row = redis.call('HGET', KEYS[2], slot)
  if not row then return nil, 0 end
  local till, machine = string.match(row, '^(%d+) (.*)$')
  return machine, tonumber(till)
end
local function hold(slot)
  redis.call('HSET', KEYS[2], slot, string.format('%.0f %s', now + ARGV[2], ARGV[1]))
end
local function live() redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1]) end
`

const join = `${prelude}live()`

/** Who is long dead is forgotten on the way. */
const machines = `${prelude}redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 86400000)
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now), '+inf')`

/** `ARGV[3]`: at most so many of the slots that follow. */
const take = `${prelude}local taken = {}
for i = 4, #ARGV do
  if #taken >= tonumber(ARGV[3]) then break end
  local machine, till = holder(ARGV[i])
  if not machine or machine == ARGV[1] or till <= now then
    hold(ARGV[i])
    taken[#taken + 1] = ARGV[i]
  end
end
return taken`

const keep = `${prelude}live()
local kept = {}
for i = 3, #ARGV do
  if holder(ARGV[i]) == ARGV[1] then
    hold(ARGV[i])
    kept[#kept + 1] = ARGV[i]
  end
end
return kept`

const free = `${prelude}for i = 3, #ARGV do
  if holder(ARGV[i]) == ARGV[1] then redis.call('HDEL', KEYS[2], ARGV[i]) end
end`

const leave = `redis.call('ZREM', KEYS[1], ARGV[1])`

/**
 * Leases on the Redis given, each call bounded by `timeout` milliseconds.
 *
 * @category constructors
 * @since 0.1.0
 */
export const open = (
  url: Redacted.Redacted,
  namespace: string,
  timeout: number
): Effect.Effect<LeaseStore.LeaseStore, LeaseStore.ShardAssignmentError, Scope.Scope> =>
  Effect.map(
    Effect.mapError(RedisLink.open(url, timeout), (fault) => LeaseStore.fault("open", fault)),
    (link) => make(link, namespace)
  )

const make = (link: RedisLink.RedisLink, namespace: string): LeaseStore.LeaseStore => {
  // The braces make both keys lie in one slot of a Redis Cluster, which a script needs.
  const tag = `leat:leases:{${encodeURIComponent(namespace)}}`
  const keys = [`${tag}:machines`, `${tag}:slots`]
  const run = (operation: string, script: string, args: ReadonlyArray<string | number>) =>
    Effect.mapError(link.run(script, keys, args), (fault) => LeaseStore.fault(operation, fault))
  const numbers = (call: Effect.Effect<unknown, LeaseStore.ShardAssignmentError>) =>
    Effect.map(call, (reply) => (Array.isArray(reply) ? reply.map(Number) : []))

  return {
    join: (machine, lease) => Effect.asVoid(run("join", join, [machine, lease])),
    machines: Effect.map(run("machines", machines, ["", 0]), (reply) =>
      Array.isArray(reply) ? reply.map(String) : []
    ),
    take: (machine, slots, most, lease) => numbers(run("take", take, [machine, lease, most, ...slots])),
    keep: (machine, slots, lease) => numbers(run("keep", keep, [machine, lease, ...slots])),
    free: (machine, slots) => Effect.asVoid(run("free", free, [machine, 0, ...slots])),
    leave: (machine) => Effect.asVoid(run("leave", leave, [machine]))
  }
}
