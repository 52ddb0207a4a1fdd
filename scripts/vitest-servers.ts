/**
 * Vitest's global set-up of the project `integration`: one Redis for all its tests.
 *
 * A test gets it with `inject("redis")` and keeps its keys under a prefix of its own, for other files run beside it. A
 * test that wants to stop, kill or freeze Redis starts its own with `RedisServer.start()`.
 */
import type { TestProject } from "vitest/node"

import { ensureRedis } from "./ensureRedis.ts"
import { RedisServer } from "./redis-server.ts"

/** Where the shared Redis listens; `url` has user, password and database too when `REDIS_URL` names them. */
export interface RedisAddress {
  readonly host: string
  readonly port: number
  readonly url: string
}

declare module "vitest" {
  interface ProvidedContext {
    readonly redis: RedisAddress
  }
}

export const setup = async (project: TestProject): Promise<() => Promise<void>> => {
  const source = ensureRedis()
  const server = source.kind === "url" ? addressOf(source.url) : await startServer()
  project.provide("redis", server.address)
  return server.stop
}

const startServer = async () => {
  const { host, port, stop } = await RedisServer.start()
  return { address: { host, port, url: `redis://${host}:${port}` }, stop }
}

const addressOf = (url: URL) => ({
  address: { host: url.hostname, port: Number(url.port || "6379"), url: url.href },
  stop: async () => {}
})
