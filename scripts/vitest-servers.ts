/**
 * Vitest's global set-up of the project `integration`: one Redis and one PostgreSQL for all its tests.
 *
 * A test gets them with `inject("redis")` and `inject("postgres")` and keeps its keys under a prefix, its tables in a
 * schema of its own, for other files run beside it. A test that wants to stop, kill or freeze one starts its own with
 * `RedisServer.start()` or `PostgresServer.start()`.
 */
import type { TestProject } from "vitest/node"

import { ensurePostgres } from "./ensurePostgres.ts"
import { ensureRedis } from "./ensureRedis.ts"
import { PostgresServer } from "./postgres-server.ts"
import { RedisServer } from "./redis-server.ts"

/** Where a shared server listens; `url` has user, password and database too where there are any. */
export interface ServerAddress {
  readonly host: string
  readonly port: number
  readonly url: string
}

declare module "vitest" {
  interface ProvidedContext {
    readonly redis: ServerAddress
    readonly postgres: ServerAddress
  }
}

interface Shared {
  readonly address: ServerAddress
  readonly stop: () => Promise<unknown>
}

export const setup = async (project: TestProject): Promise<() => Promise<void>> => {
  const [redis, postgres] = await both(startRedis(), startPostgres())
  project.provide("redis", redis.address)
  project.provide("postgres", postgres.address)
  return async () => void (await Promise.all([redis.stop(), postgres.stop()]))
}

/** Both or none: when one can't start, the other doesn't stay. */
const both = async (first: Promise<Shared>, second: Promise<Shared>): Promise<[Shared, Shared]> => {
  try {
    return await Promise.all([first, second])
  } catch (error) {
    const outcomes = await Promise.allSettled([first, second])
    await Promise.all(outcomes.map(async (outcome) => outcome.status === "fulfilled" && outcome.value.stop()))
    throw error
  }
}

const startRedis = async (): Promise<Shared> => {
  const source = ensureRedis()
  if (source.kind === "url") return elsewhere(source.url, "6379")
  const { host, port, stop } = await RedisServer.start()
  return { address: { host, port, url: `redis://${host}:${port}` }, stop }
}

const startPostgres = async (): Promise<Shared> => {
  const source = ensurePostgres()
  if (source.kind === "url") return elsewhere(source.url, "5432")
  const { host, port, url, stop } = await PostgresServer.start()
  return { address: { host, port, url }, stop }
}

const elsewhere = (url: URL, port: string): Shared => ({
  address: { host: url.hostname, port: Number(url.port || port), url: url.href },
  stop: async () => {}
})
