/**
 * A PostgreSQL for the tests, wherever they run: the first rung of this ladder that holds.
 *
 * 1. `POSTGRES_URL`: a server that is already there (only for tests that don't stop or freeze it)
 * 2. `initdb` and `postgres` on PATH, or the newest under /usr/lib/postgresql
 * 3. apt-get as root: installs the server of this system's version, without a cluster of the system
 * 4. apt-get as anybody: downloads the packages and unpacks them into .cache/postgres
 * 5. a Docker daemon: postgres:15-alpine
 *
 * When none holds this throws and says for each rung why not, and what to do. Tests that need PostgreSQL are never skipped.
 */
import { existsSync, globSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { delimiter, dirname, join } from "node:path"

import { installByApt, unpackByApt, withLibraries } from "./servers/apt.ts"
import { printed, runs } from "./servers/command.ts"
import { byDocker, climb, type ServerImage, type ServerUrl, serverUrl } from "./servers/ladder.ts"
import { type Account, unprivileged } from "./servers/unprivileged.ts"

/** PostgreSQL's programs on this machine. */
export interface PostgresPrograms {
  readonly kind: "programs"
  readonly initdb: string
  readonly postgres: string
  /** How to spawn them. */
  readonly options: Account & { readonly env: NodeJS.ProcessEnv; readonly cwd: string }
}

const home = join(import.meta.dirname, "..", ".cache", "postgres")

/** A way to start a PostgreSQL server of one's own (rungs 2 to 5). */
export const ensurePostgresServer = (): PostgresPrograms | ServerImage =>
  climb<PostgresPrograms | ServerImage>(
    "a PostgreSQL server",
    [onMachine, unpackedBefore, installedByApt, unpackedByApt, byDocker("postgres:15-alpine")],
    process.platform === "darwin"
      ? "Run `brew install postgresql@15` and try again with its bin on PATH, or set POSTGRES_URL=postgres://user@host:port/database."
      : "Install PostgreSQL's server with the package manager of this system, start Docker, or set POSTGRES_URL=postgres://user@host:port/database."
  )

/** Any PostgreSQL (rungs 1 to 5). */
export const ensurePostgres = (): ServerUrl | PostgresPrograms | ServerImage =>
  serverUrl("POSTGRES_URL", ["postgres:", "postgresql:"]) ?? ensurePostgresServer()

const onMachine = () =>
  firstPrograms(
    [...(process.env["PATH"] ?? "").split(delimiter), ...versions("/usr/lib/postgresql")],
    "not on PATH and not in /usr/lib/postgresql"
  )

const unpackedBefore = () =>
  firstPrograms(versions(join(home, "usr/lib/postgresql")), "not unpacked into .cache/postgres by an earlier run")

const installedByApt = () => withoutSystemCluster(() => installByApt(serverPackage)) ?? onMachine()

const unpackedByApt = () => unpackByApt(serverPackage, { home, needs: ["libpq5"] }) ?? unpackedBefore()

/** Debian's `postgresql` only names the server of its version, such as postgresql-15. */
const serverPackage = (options: ReadonlyArray<string>): string =>
  /Depends: (postgresql-\d+)/.exec(printed("apt-cache", [...options, "depends", "postgresql"]))?.[1] ?? "postgresql"

/**
 * Debian's package makes a cluster of the system and starts it on port 5432, unless a file in this folder says no.
 * See pg_createcluster(1).
 */
const withoutSystemCluster = (install: () => string | undefined): string | undefined => {
  if (process.getuid?.() !== 0 || !runs("apt-get", ["--version"])) return install()
  const refusal = "/etc/postgresql-common/createcluster.d/leat.conf"
  try {
    mkdirSync(dirname(refusal), { recursive: true })
    writeFileSync(refusal, "create_main_cluster = false\n")
    return install()
  } catch (error) {
    return `apt-get is there, but not room for ${refusal}: ${String(error)}`
  } finally {
    rmSync(refusal, { force: true })
  }
}

/** The folders of programs under a folder of versions, the newest first. */
const versions = (folder: string): ReadonlyArray<string> => {
  const newest = new Intl.Collator("en", { numeric: true })
  return globSync(join(folder, "*/bin")).toSorted((left, right) => newest.compare(right, left))
}

const firstPrograms = (folders: ReadonlyArray<string>, otherwise: string): PostgresPrograms | string => {
  const there = folders.filter((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres")))
  if (there.length === 0) return `initdb and postgres: ${otherwise}`
  const account = unprivileged()
  if (typeof account === "string") return account
  const working = there.map((folder) => programs(folder, account)).find(work)
  return (
    working ??
    `initdb and postgres in ${there.join(", ")}: don't run here${account.uid === undefined ? "" : ` as user ${account.uid}`}`
  )
}

// In "/", for the other user may not look into the folder that we are in.
const programs = (folder: string, account: Account): PostgresPrograms => {
  const initdb = join(folder, "initdb")
  const options = { ...account, env: withLibraries(home, initdb), cwd: "/" }
  return { kind: "programs", initdb, postgres: join(folder, "postgres"), options }
}

const work = ({ initdb, postgres, options }: PostgresPrograms): boolean =>
  runs(initdb, ["--version"], options) && runs(postgres, ["--version"], options)
