/** Packages of a Debian-like system: installed as root, or unpacked into a folder as anybody. */
import { globSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"

import { printed, run, runs, say } from "./command.ts"

/** The package's name; a function where the package lists know it. The list holds options for apt-get and apt-cache. */
type PackageName = string | ((options: ReadonlyArray<string>) => string)

/** Undefined when it is installed, else why not. */
export const installByApt = (name: PackageName): string | undefined => {
  if (!runs("apt-get", ["--version"])) return "no apt-get on this system"
  if (process.getuid?.() !== 0) return "apt-get is there, but only root may install with it"
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
  const install = (chosen: string) => {
    say(`installing ${chosen} with apt-get`)
    return run("apt-get", ["install", "-y", "--no-install-recommends", chosen], { env })
  }
  return run("apt-get", ["update"], { env }) ?? install(nameOf(name, []))
}

/**
 * Undefined when it is unpacked into the folder `home`, else why not. `needs`: what to download with it where apt can't
 * tell.
 */
export const unpackByApt = (
  name: PackageName,
  { home, needs }: { readonly home: string; readonly needs: ReadonlyArray<string> }
): string | undefined => {
  if (!runs("apt-get", ["--version"]) || !runs("dpkg-deb", ["--version"]))
    return "no apt-get and dpkg-deb to unpack with"
  const work = `${home}.${process.pid}`
  try {
    return download(name, work, needs) ?? unpack(work, home)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** What was unpacked finds its libraries beside itself; nothing else about the environment changes. */
export const withLibraries = (home: string, command: string): NodeJS.ProcessEnv => {
  if (!command.startsWith(home)) return process.env
  const libraries = globSync(join(home, "usr/lib/*-linux-*"))
  return { ...process.env, LD_LIBRARY_PATH: [...libraries, join(dirname(command), "../lib")].join(":") }
}

const nameOf = (name: PackageName, options: ReadonlyArray<string>) => (typeof name === "string" ? name : name(options))

/** Package lists of our own: those of the system may be missing (as in container images) and only root may renew them. */
const download = (name: PackageName, work: string, needs: ReadonlyArray<string>): string | undefined => {
  for (const folder of ["lists/partial", "archives/partial", "debs", "root"]) {
    mkdirSync(join(work, folder), { recursive: true })
  }
  const own = ["-o", `Dir::State::lists=${work}/lists`, "-o", `Dir::Cache=${work}`, "-o", "Debug::NoLocking=1"]
  const fetch = (chosen: string) => {
    say(`unpacking ${chosen} into .cache with apt-get and dpkg-deb`)
    const debs = { cwd: join(work, "debs") }
    return run("apt-get", [...own, "download", ...packages(chosen, own, needs)], debs)
  }
  return run("apt-get", [...own, "update"]) ?? fetch(nameOf(name, own))
}

/** The package and what it needs that this system lacks, from apt's dry run. */
const packages = (name: string, own: ReadonlyArray<string>, needs: ReadonlyArray<string>): ReadonlyArray<string> => {
  const dryRun = printed("apt-get", [...own, "install", "--simulate", "--no-install-recommends", name])
  const named = Array.from(dryRun.matchAll(/^Inst (\S+)/gm), ([, each = ""]) => each)
  return named.length > 0 ? named : [name, ...needs]
}

/** The rename makes it visible at once and whole, so an interrupted or parallel run can't leave half of it. */
const unpack = (work: string, home: string): string | undefined => {
  for (const deb of readdirSync(join(work, "debs"))) {
    const failure = run("dpkg-deb", ["-x", join(work, "debs", deb), join(work, "root")])
    if (failure !== undefined) return failure
  }
  rmSync(home, { recursive: true, force: true })
  renameSync(join(work, "root"), home)
  return undefined
}
