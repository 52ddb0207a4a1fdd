/**
 * A PostgreSQL server of a test's own, which it may stop, kill, restart in place or freeze.
 *
 * It listens on loopback only and trusts everybody there, opens no Unix socket and dies with the process that started
 * it. As root it runs as somebody else, for PostgreSQL refuses to run as root. A crash (`kill`) loses no commit, with or
 * without `durable`; only a crash of the whole machine would.
 */
import { spawn } from "node:child_process"
import { chownSync, existsSync, mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

import { ensurePostgresServer, type PostgresPrograms } from "./ensurePostgres.ts"
import { run } from "./servers/command.ts"
import { startContainer } from "./servers/container.ts"
import { endOf, startFamily } from "./servers/family.ts"
import { keeper } from "./servers/keeper.ts"
import type { ServerImage } from "./servers/ladder.ts"
import { freePort, host } from "./servers/loopback.ts"
import { answering, type Server, type Starting } from "./servers/server.ts"
import { temporaryDir } from "./servers/temporary-dir.ts"

/**
 * A running server. `stop` removes a data directory that this module made, also after a `kill`, which leaves it for a
 * restart in place; the one who starts a second server there leaves the removal to that one.
 */
export interface PostgresServer extends Server {
  /** The database `postgres` as the user `postgres`, who may do everything. */
  readonly url: string
  /** The data directory; the name of a volume where Docker runs the server. */
  readonly dataDir: string
}

/** How to start a server. */
export interface PostgresOptions {
  /** A free port by default; give the old one to restart in place. */
  readonly port?: number
  /** A fresh temporary one by default; give the old one to restart in place. One that you made stays. */
  readonly dataDir?: string
  /** Whether commits wait for the disk (fsync), as in production. False by default, which is faster. */
  readonly durable?: boolean
}

export const PostgresServer = {
  /** Starts a server and waits until it answers. */
  async start(options: PostgresOptions = {}): Promise<PostgresServer> {
    const source = ensurePostgresServer()
    return answering(await (source.kind === "programs" ? startPrograms(source, options) : startImage(source, options)))
  }
}

const settings = (durable: boolean): ReadonlyArray<string> => [
  "-c",
  `fsync=${durable ? "on" : "off"}`,
  "-c",
  "max_connections=200"
]

const urlOf = (port: number): string => `postgres://postgres@${host}:${port}/postgres`

const startPrograms = async (
  programs: PostgresPrograms,
  { port, dataDir, durable = false }: PostgresOptions
): Promise<Starting<PostgresServer>> => {
  const dir = dataDir === undefined ? freshDir() : claimed(dataDir)
  try {
    if (!existsSync(join(dir.path, "PG_VERSION"))) await initialize(programs, dir.path)
    return startPostmaster(programs, { port: port ?? (await freePort()), dir, durable })
  } catch (error) {
    dir.discard()
    throw error
  }
}

const startPostmaster = (
  { postgres, options }: PostgresPrograms,
  { port, dir, durable }: { readonly port: number; readonly dir: DataDir; readonly durable: boolean }
): Starting<PostgresServer> => {
  const loopback = ["-c", `listen_addresses=${host}`, "-p", String(port), "-c", "unix_socket_directories="]
  // Otherwise a kill leaves files in /dev/shm.
  const memory = ["-c", "dynamic_shared_memory_type=mmap"]
  const flags = ["-D", dir.path, ...loopback, ...memory, ...settings(durable)]
  const { pid, ended, stop, kill, freeze, thaw } = startFamily(postgres, flags, options)
  const server: PostgresServer = {
    host,
    port,
    url: urlOf(port),
    pid,
    dataDir: dir.path,
    // The "fast" shutdown: it doesn't wait for clients to leave.
    stop: () => stop("SIGINT").finally(dir.discard),
    kill,
    freeze,
    thaw
  }
  return { name: "postgres", server, ended, answers: async () => isReady(dir.path, pid) }
}

/** PostgreSQL says in this file who runs and whether connections are welcome; `pg_ctl --wait` reads the same lines. */
const isReady = (dataDir: string, pid: number): boolean => {
  const lines = lockFile(dataDir)
  return lines[0] === String(pid) && lines[7]?.trim() === "ready"
}

const lockFile = (dataDir: string): ReadonlyArray<string> => {
  const path = join(dataDir, "postmaster.pid")
  return existsSync(path) ? readFileSync(path, "utf8").split("\n") : []
}

const initialize = async ({ initdb, options }: PostgresPrograms, dataDir: string): Promise<void> => {
  mkdirSync(dataDir, { recursive: true })
  if (options.uid !== undefined && options.gid !== undefined) chownSync(dataDir, options.uid, options.gid)
  const flags = ["--username=postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C", "-D", dataDir]
  const child = spawn(initdb, flags, { ...options, stdio: ["ignore", "pipe", "pipe"] })
  const output = await endOf(child)
  if (child.exitCode !== 0) throw new Error(`initdb failed in ${dataDir}\n${output}`)
}

/** A data directory in the hands of one server. */
interface DataDir {
  readonly path: string
  /** Removes it when it is ours to remove; doing it twice is fine. */
  readonly discard: () => void
}

/** How to remove the directories that we made, in the hands of whom came last. */
const ours = new Map<string, { readonly remove: () => void; readonly owner: DataDir }>()

/** A killed server leaves a few bytes of System V memory, of which a machine has a limited number; a restart takes them. */
const removeSharedMemory = `ipcrm -m $(sed -n '7s/.* //p' "$1/postmaster.pid")`

const freshDir = (): DataDir => {
  const { path, discard } = temporaryDir("leat-postgres-", removeSharedMemory)
  return own(path, discard)
}

const claimed = (path: string): DataDir => {
  const known = ours.get(path)
  return known === undefined ? { path, discard: () => {} } : own(path, known.remove)
}

const own = (path: string, remove: () => void): DataDir => {
  const owner: DataDir = {
    path,
    discard: () => {
      if (ours.get(path)?.owner !== owner) return
      ours.delete(path)
      remove()
    }
  }
  ours.set(path, { remove, owner })
  return owner
}

const startImage = async (
  { image }: ServerImage,
  { port, dataDir, durable = false }: PostgresOptions
): Promise<Starting<PostgresServer>> => {
  const chosen = port ?? (await freePort())
  const dir = dataDir === undefined ? freshVolume(chosen) : claimed(dataDir)
  const { pid, runs, stop, kill, freeze, thaw } = startContainer(image, {
    port: chosen,
    inside: 5432,
    options: [
      `--volume=${dir.path}:/var/lib/postgresql/data`,
      "--env=POSTGRES_HOST_AUTH_METHOD=trust",
      "--env=POSTGRES_INITDB_ARGS=--no-sync -E UTF8 --locale=C"
    ],
    args: settings(durable)
  })
  const server: PostgresServer = {
    host,
    port: chosen,
    url: urlOf(chosen),
    pid,
    dataDir: dir.path,
    stop: () => stop().finally(dir.discard),
    kill,
    freeze,
    thaw
  }
  // By TCP: while the image sets itself up a first server answers on a Unix socket only.
  const answers = async () => runs("pg_isready", "--host", host, "--username", "postgres")
  return { name: image, server, ended: new Promise(() => {}), answers }
}

const freshVolume = (port: number): DataDir => {
  const name = `leat-postgres-${process.pid}-${port}`
  const release = keeper(`docker volume rm "$1" || { sleep 5; docker volume rm "$1"; }`, name)
  return own(name, () => {
    release()
    run("docker", ["volume", "rm", name])
  })
}
