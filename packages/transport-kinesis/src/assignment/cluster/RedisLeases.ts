/**
 * Leases in Redis 5 or later: three keys a namespace, by the server's clock.
 *
 * **Gotchas.** A failover to a replica that lags may forget a lease, and two machines hold a name until the one notices.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"

import * as RedisLink from "../../internal/RedisLink.ts"
import * as LeaseStore from "./LeaseStore.ts"

/**
 * `KEYS`: machines (a sorted set, by the end of their lives), what they offer (a hash), names (a hash: the end of the lease
 * and the machine). `ARGV[1]`: the machine, `ARGV[2]`: the lease in ms.
 */
const prelude = `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function holder(name)
  local row = redis.call('HGET', KEYS[3], name)
  if not row then return nil, 0 end
  local till, machine = string.match(row, '^(%d+) (.*)$')
  return machine, tonumber(till)
end
local function hold(name)
  redis.call('HSET', KEYS[3], name, string.format('%.0f %s', now + ARGV[2], ARGV[1]))
end
local function live(offers)
  redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
  redis.call('HSET', KEYS[2], ARGV[1], offers)
end
`

/** `ARGV[3]`: the offers. Who is long dead is forgotten on the way, and what nobody holds any more, as shards that ended. */
const join = `${prelude}local past = now - 86400000
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', past)) do
  redis.call('ZREM', KEYS[1], dead)
  redis.call('HDEL', KEYS[2], dead)
end
for _, name in ipairs(redis.call('HKEYS', KEYS[3])) do
  local _, till = holder(name)
  if till < past then redis.call('HDEL', KEYS[3], name) end
end
live(ARGV[3])`

/** A machine, its offers, a machine … */
const machines = `${prelude}local living = {}
for _, machine in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now), '+inf')) do
  living[#living + 1] = machine
  living[#living + 1] = redis.call('HGET', KEYS[2], machine) or '[]'
end
return living`

/** `ARGV[3]`: at most so many of the names that follow. */
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

/** `ARGV[3]`: the offers; names follow. */
const keep = `${prelude}live(ARGV[3])
local kept = {}
for i = 4, #ARGV do
  if holder(ARGV[i]) == ARGV[1] then
    hold(ARGV[i])
    kept[#kept + 1] = ARGV[i]
  end
end
return kept`

const unheld = `${prelude}local found = {}
for i = 3, #ARGV do
  local machine, till = holder(ARGV[i])
  if not machine or till <= now then found[#found + 1] = ARGV[i] end
end
return found`

const free = `${prelude}for i = 3, #ARGV do
  if holder(ARGV[i]) == ARGV[1] then redis.call('HDEL', KEYS[3], ARGV[i]) end
end`

const leave = `redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])`

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
  // The braces make all keys lie in one slot of a Redis Cluster, which a script needs.
  const tag = `leat:leases:{${encodeURIComponent(namespace)}}`
  const keys = [`${tag}:machines`, `${tag}:offers`, `${tag}:names`]
  const run = (operation: string, script: string, args: ReadonlyArray<string | number>) =>
    Effect.map(
      Effect.mapError(link.run(script, keys, args), (fault) => LeaseStore.fault(operation, fault)),
      (reply) => (Array.isArray(reply) ? reply.map(String) : [])
    )

  return {
    join: (machine, offers, lease) => Effect.asVoid(run("join", join, [machine, lease, offers])),
    machines: Effect.map(run("machines", machines, ["", 0]), machinesOf),
    take: (machine, names, most, lease) => run("take", take, [machine, lease, most, ...names]),
    keep: (machine, names, offers, lease) => run("keep", keep, [machine, lease, offers, ...names]),
    unheld: (names) => run("unheld", unheld, ["", 0, ...names]),
    free: (machine, names) => Effect.asVoid(run("free", free, [machine, 0, ...names])),
    leave: (machine) => Effect.asVoid(run("leave", leave, [machine]))
  }
}

const machinesOf = (flat: ReadonlyArray<string>): ReadonlyArray<LeaseStore.Machine> =>
  Array.from({ length: flat.length / 2 }, (_, index) => ({
    machine: flat[2 * index] ?? "",
    offers: flat[2 * index + 1] ?? ""
  }))
