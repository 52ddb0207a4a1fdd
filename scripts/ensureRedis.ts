/**
 * A Redis for the tests, wherever they run: the first rung of this ladder that holds.
 *
 * 1. `REDIS_URL`: a server that is already there (only for tests that don't stop or freeze it)
 * 2. `redis-server` or `valkey-server` on PATH
 * 3. apt-get as root: installs redis-server
 * 4. apt-get as anybody: downloads the packages and unpacks them into .cache/redis
 * 5. a Docker daemon: redis:7-alpine
 *
 * When none holds this throws and says for each rung why not, and what to do. Tests that need Redis are never skipped.
 */
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"

import { installByApt, unpackByApt, withLibraries } from "./servers/apt.ts"
import { runs } from "./servers/command.ts"
import { byDocker, climb, type ServerImage, type ServerUrl, serverUrl } from "./servers/ladder.ts"

/** A Redis-compatible server program on this machine. */
export interface RedisProgram {
  readonly kind: "program"
  readonly command: string
  readonly env: NodeJS.ProcessEnv
}

const home = join(import.meta.dirname, "..", ".cache", "redis")

/** A way to start a Redis server of one's own (rungs 2 to 5). */
export const ensureRedisServer = (): RedisProgram | ServerImage =>
  climb<RedisProgram | ServerImage>(
    "a Redis server",
    [onPath, unpackedBefore, installedByApt, unpackedByApt, byDocker("redis:7-alpine")],
    process.platform === "darwin"
      ? "Run `brew install redis` and try again, or set REDIS_URL=redis://host:port."
      : "Install redis or valkey with the package manager of this system, start Docker, or set REDIS_URL=redis://host:port."
  )

/** Any Redis (rungs 1 to 5). */
export const ensureRedis = (): ServerUrl | RedisProgram | ServerImage =>
  serverUrl("REDIS_URL", ["redis:", "rediss:"]) ?? ensureRedisServer()

const onPath = () => firstProgram((process.env["PATH"] ?? "").split(delimiter), "not on PATH")

const unpackedBefore = () => firstProgram([join(home, "usr/bin")], "not unpacked into .cache/redis by an earlier run")

const installedByApt = () => installByApt("redis-server") ?? onPath()

const unpackedByApt = () =>
  unpackByApt("redis-server", { home, needs: ["redis-tools", "libjemalloc2", "liblzf1"] }) ?? unpackedBefore()

const firstProgram = (folders: ReadonlyArray<string>, otherwise: string): RedisProgram | string => {
  for (const name of ["redis-server", "valkey-server"]) {
    for (const folder of folders) {
      const command = join(folder, name)
      const env = withLibraries(home, command)
      if (existsSync(command) && runs(command, ["--version"], { env })) return { kind: "program", command, env }
    }
  }
  return `redis-server and valkey-server: ${otherwise}`
}
