/** The file that is deployed, `dist/index.mjs`, built again when a source is newer. */
import { execFileSync } from "node:child_process"
import { globSync, mkdirSync, rmSync, statSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../..", import.meta.url))

export const folder = fileURLToPath(new URL("../dist", import.meta.url))

const lock = `${folder}/.building`

const builtAt = (): number => statSync(`${folder}/index.mjs`, { throwIfNoEntry: false })?.mtimeMs ?? 0

const changedAt = (): number =>
  Math.max(
    ...globSync(["packages/*/src/**/*.ts", "apps/kinesis-lambda/src/*.ts"], { cwd: root }).map(
      (file) => statSync(`${root}/${file}`).mtimeMs
    )
  )

/** Test files that ask at the same time take turns, so that none reads a file that another one is writing. */
export const ensure = async (): Promise<void> => {
  mkdirSync(folder, { recursive: true })
  await locked()
  try {
    if (builtAt() < changedAt()) {
      execFileSync(process.execPath, ["scripts/bundle.ts"], { cwd: `${folder}/..`, stdio: "pipe" })
    }
  } finally {
    rmSync(lock, { recursive: true, force: true })
  }
}

const locked = async (): Promise<void> => {
  const patience = performance.now() + 30_000
  while (true) {
    try {
      return mkdirSync(lock)
    } catch {
      // A test that was killed leaves its lock behind.
      if (performance.now() > patience) rmSync(lock, { recursive: true, force: true })
      await sleep(50)
    }
  }
}
