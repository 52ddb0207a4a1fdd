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
import { spawnSync } from "node:child_process"
import { existsSync, globSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs"
import { delimiter, dirname, join } from "node:path"

/** A Redis-compatible server program on this machine. */
export interface RedisProgram {
  readonly kind: "program"
  readonly command: string
  readonly env: NodeJS.ProcessEnv
}

/** A Docker daemon that can run a Redis image. */
export interface RedisImage {
  readonly kind: "image"
  readonly image: string
}

/** A server that somebody else runs. */
export interface RedisUrl {
  readonly kind: "url"
  readonly url: URL
}

const home = join(import.meta.dirname, "..", ".cache", "redis")

/** A way to start a Redis server of one's own (rungs 2 to 5). */
export const ensureRedisServer = (): RedisProgram | RedisImage => {
  const refusals: Array<string> = []
  for (const rung of [onPath, unpackedBefore, installedByApt, unpackedByApt, byDocker]) {
    const found = rung()
    if (typeof found !== "string") return found
    refusals.push(found)
  }
  throw new Error(
    [
      "The tests need a Redis server and there is no way to get one here:",
      ...refusals.map((reason) => `  - ${reason}`),
      process.platform === "darwin"
        ? "Run `brew install redis` and try again, or set REDIS_URL=redis://host:port."
        : "Install redis or valkey with the package manager of this system, start Docker, or set REDIS_URL=redis://host:port."
    ].join("\n")
  )
}

/** Any Redis (rungs 1 to 5). */
export const ensureRedis = (): RedisUrl | RedisProgram | RedisImage => {
  const url = process.env["REDIS_URL"]
  return url === undefined || url === "" ? ensureRedisServer() : { kind: "url", url: parseUrl(url) }
}

/** A server, or the reason why this rung doesn't hold. */
type Rung = RedisProgram | RedisImage | string

const onPath = (): Rung => firstProgram((process.env["PATH"] ?? "").split(delimiter), "not on PATH")

const unpackedBefore = (): Rung =>
  firstProgram([join(home, "usr/bin")], "not unpacked into .cache/redis by an earlier run")

const installedByApt = (): Rung => {
  if (!runs("apt-get", ["--version"])) return "no apt-get on this system"
  if (process.getuid?.() !== 0) return "apt-get is there, but only root may install with it"
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
  say("installing redis-server with apt-get")
  const install = () => run("apt-get", ["install", "-y", "--no-install-recommends", "redis-server"], { env })
  const failure = run("apt-get", ["update"], { env }) ?? install()
  return failure ?? onPath()
}

const unpackedByApt = (): Rung => {
  if (!runs("apt-get", ["--version"]) || !runs("dpkg-deb", ["--version"]))
    return "no apt-get and dpkg-deb to unpack with"
  say("unpacking redis-server into .cache/redis with apt-get and dpkg-deb")
  const work = `${home}.${process.pid}`
  try {
    return downloadWithApt(work) ?? unpack(work) ?? unpackedBefore()
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** Package lists of our own: those of the system may be missing (as in container images) and only root may renew them. */
const downloadWithApt = (work: string): string | undefined => {
  for (const folder of ["lists/partial", "archives/partial", "debs", "root"]) {
    mkdirSync(join(work, folder), { recursive: true })
  }
  const own = ["-o", `Dir::State::lists=${work}/lists`, "-o", `Dir::Cache=${work}`, "-o", "Debug::NoLocking=1"]
  const debs = { cwd: join(work, "debs") }
  return run("apt-get", [...own, "update"]) ?? run("apt-get", [...own, "download", ...packages(own)], debs)
}

/** redis-server and what it needs that this system lacks, from apt's dry run. */
const packages = (own: ReadonlyArray<string>): ReadonlyArray<string> => {
  const dryRun = spawnSync("apt-get", [...own, "install", "--simulate", "--no-install-recommends", "redis-server"], {
    encoding: "utf8"
  })
  const named = Array.from((dryRun.stdout ?? "").matchAll(/^Inst (\S+)/gm), ([, name = ""]) => name)
  return named.length > 0 ? named : ["redis-server", "redis-tools", "libjemalloc2", "liblzf1"]
}

/** The rename makes it visible at once and whole, so an interrupted or parallel run can't leave half of it. */
const unpack = (work: string): string | undefined => {
  for (const deb of readdirSync(join(work, "debs"))) {
    const failure = run("dpkg-deb", ["-x", join(work, "debs", deb), join(work, "root")])
    if (failure !== undefined) return failure
  }
  rmSync(home, { recursive: true, force: true })
  renameSync(join(work, "root"), home)
  return undefined
}

const byDocker = (): Rung =>
  runs("docker", ["info"]) ? { kind: "image", image: "redis:7-alpine" } : "no Docker daemon answers"

const firstProgram = (folders: ReadonlyArray<string>, otherwise: string): Rung => {
  for (const name of ["redis-server", "valkey-server"]) {
    for (const folder of folders) {
      const command = join(folder, name)
      const env = withLibraries(command)
      if (existsSync(command) && runs(command, ["--version"], env)) return { kind: "program", command, env }
    }
  }
  return `redis-server and valkey-server: ${otherwise}`
}

/** What was unpacked finds its libraries beside itself; nothing else about the environment changes. */
const withLibraries = (command: string): NodeJS.ProcessEnv => {
  if (!command.startsWith(home)) return process.env
  const libraries = globSync(join(home, "usr/lib/*-linux-*"))
  return { ...process.env, LD_LIBRARY_PATH: [...libraries, join(dirname(command), "../lib")].join(":") }
}

const runs = (command: string, args: ReadonlyArray<string>, env = process.env): boolean =>
  spawnSync(command, args, { env, stdio: "ignore" }).status === 0

/** Undefined when it worked, else one line about what did not. */
const run = (command: string, args: ReadonlyArray<string>, options: object = {}): string | undefined => {
  const { status, stderr, error } = spawnSync(command, args, { ...options, encoding: "utf8" })
  if (status === 0) return undefined
  const reason = error?.message ?? stderr.trim().split("\n").at(-1)
  return `${command} ${args.filter((arg) => /^[a-z]/.test(arg)).join(" ")}: ${reason}`
}

const say = (what: string): void => void process.stderr.write(`leat: ${what}\n`)

const parseUrl = (url: string): URL => {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed?.protocol === "redis:" || parsed?.protocol === "rediss:") return parsed
  throw new Error("REDIS_URL is not a redis:// or rediss:// URL")
}
