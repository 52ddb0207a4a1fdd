import { createHash } from "node:crypto"

import type { Entry } from "@leat/core/CacheStore"
import * as CacheStore from "@leat/core/CacheStore"

import { slotOf, tagOf } from "./cluster/slots.ts"
import { CommandEncoder, EncodedCommand } from "./encodedCommand.ts"

/** A script, and the name the server knows it by once it has seen it. */
interface Script {
  readonly text: string
  readonly sha: string
}

const script = (text: string): Script => ({ text, sha: createHash("sha1").update(text).digest("hex") })

/**
 * `KEYS`: n keys, then the n keys of their fences. `ARGV`: value, time to live in ms, start of the load in ms ("" where
 * no fence applies), for each key. The check and the write must be one step on the server, hence a script.
 */
const writeScript = script(`local n = #KEYS / 2
local fences = redis.call('MGET', unpack(KEYS, n + 1))
for i = 1, n do
  local at, fence = 3 * i, fences[i]
  if not fence or ARGV[at] == '' or tonumber(ARGV[at]) > (tonumber(fence) or 0) then
    if ARGV[at - 1] == '0' then redis.call('DEL', KEYS[i])
    else redis.call('SET', KEYS[i], ARGV[at - 2], 'PX', ARGV[at - 1]) end
  end
end`)

/** `KEYS` as above. `ARGV`: the invalidation's time, how long to remember it. An older invalidation can't undo a newer. */
const invalidateScript = script(`local n = #KEYS / 2
for i = 1, n do
  redis.call('DEL', KEYS[i])
  local fence = tonumber(redis.call('GET', KEYS[n + i]) or '0') or 0
  if tonumber(ARGV[1]) >= fence then redis.call('SET', KEYS[n + i], ARGV[1], 'PX', ARGV[2]) end
end`)

/**
 * Where the fence of a key stands: a key of its own, for the value under the contract key belongs to other programs too.
 * The braces make it a neighbour of its key in a cluster.
 *
 * @see https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
 */
export const fenceOf = (key: string): string => {
  if (!/[{}]/.test(key)) return `{${key}}:fence`
  const open = key.indexOf("{")
  const close = key.indexOf("}", open + 1)
  if (open >= 0 && close > open + 1) return `${key}:fence`
  // Its braces hold nothing: all of it makes its slot, and would not do so with more behind it.
  return `{${tagOf(slotOf(key))}}:fence:${key}`
}

/**
 * Most keys and bytes of one command: a batch must not hold the server up, and ElastiCache Serverless takes fewer than
 * 3,999 arguments a request.
 */
export const maxKeys = 500
const maxBytes = 4 * 1024 * 1024

/** Whether the server knows the scripts by their hash. */
export type Naming = "EVALSHA" | "EVAL"

/** The commands that write these entries. */
export const writes = (entries: ReadonlyArray<Entry>, naming: Naming): ReadonlyArray<EncodedCommand> => {
  return chunks(entries).map((chunk) => write(chunk, naming))
}

/** As many as one command may hold, each. */
export const chunks = (entries: ReadonlyArray<Entry>): ReadonlyArray<ReadonlyArray<Entry>> => {
  const found: Array<ReadonlyArray<Entry>> = []
  for (let from = 0; from < entries.length;) {
    const to = chunkEnd(entries, from)
    found.push(from === 0 && to === entries.length ? entries : entries.slice(from, to))
    from = to
  }
  return found
}

const chunkEnd = (entries: ReadonlyArray<Entry>, from: number): number => {
  let bytes = 0
  let to = from
  for (; to < entries.length && to - from < maxKeys; to++) {
    bytes += entries[to]?.value.length ?? 0
    if (bytes > maxBytes && to > from) break
  }
  return to
}

/** The command that writes these entries, no more of them than one may hold. */
export const write = (entries: ReadonlyArray<Entry>, naming: Naming): EncodedCommand => {
  let size = writeScript.text.length + 256
  for (const { key, value } of entries) size += 2 * key.length + value.length + perEntry
  const encoder = begin(writeScript, naming, entries.length, 3 * entries.length, size)
  for (const { key } of entries) encoder.text(key)
  for (const { key } of entries) encoder.text(fenceOf(key))
  // What was loaded together has one time, and printing a number of 13 digits is not cheap.
  let last: number | undefined
  let printed = ""
  for (const { value, ttl, ifLoadedAfter } of entries) {
    if (ifLoadedAfter !== last) {
      last = ifLoadedAfter
      printed = ifLoadedAfter === undefined ? "" : String(ifLoadedAfter)
    }
    encoder.blob(value)
    encoder.int(wholeMillis(ttl))
    encoder.text(printed)
  }
  return new EncodedCommand(naming.toLowerCase(), encoder.finish())
}

/** The commands that invalidate these keys. */
export const invalidations = (
  keys: ReadonlyArray<string>,
  at: number,
  naming: Naming
): ReadonlyArray<EncodedCommand> => {
  const commands: Array<EncodedCommand> = []
  for (let from = 0; from < keys.length; from += maxKeys) {
    commands.push(invalidation(keys.slice(from, from + maxKeys), at, naming))
  }
  return commands
}

/** The command that invalidates these keys, no more of them than one may hold. */
export const invalidation = (keys: ReadonlyArray<string>, at: number, naming: Naming): EncodedCommand => {
  let size = invalidateScript.text.length + 256
  for (const key of keys) size += 2 * key.length + perEntry
  const encoder = begin(invalidateScript, naming, keys.length, 2, size)
  for (const key of keys) encoder.text(key)
  for (const key of keys) encoder.text(fenceOf(key))
  encoder.text(String(at))
  encoder.text(String(CacheStore.fence))
  return new EncodedCommand(naming.toLowerCase(), encoder.finish())
}

const begin = (script: Script, naming: Naming, keys: number, args: number, size: number): CommandEncoder => {
  const encoder = new CommandEncoder(3 + 2 * keys + args, size)
  encoder.text(naming)
  encoder.text(naming === "EVAL" ? script.text : script.sha)
  encoder.text(String(2 * keys))
  return encoder
}

/** What stands around two keys, a value and two numbers. */
const perEntry = 96

const tenYears = 10 * 365 * 24 * 3_600_000

/** Down, for an entry must not be served past its time; 0 is for the script to delete, since Redis refuses such a PX. */
const wholeMillis = (ttl: number): number => (ttl >= 1 ? Math.floor(Math.min(ttl, tenYears)) : 0)
