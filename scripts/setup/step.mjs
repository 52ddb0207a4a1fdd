/** A step of the setup: one line on stderr, skipped when its stamp says that nothing has changed. */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"

import { capture } from "./execute.mjs"
import { root } from "./root.mjs"

/** What stops the setup, with what the user can do about it. */
export class SetupFailed extends Error {
  constructor(message, hint, exitCode = 1) {
    super(message)
    this.hint = hint
    this.exitCode = exitCode
  }
}

/** Prints "leat: TITLE … 1.2 s" around the work; on failure everything that the failed command printed follows. */
export async function step(title, work) {
  const start = performance.now()
  process.stderr.write(`leat: ${title} … `)
  try {
    await work(runOrFail)
  } catch (error) {
    process.stderr.write("failed\n")
    throw error
  }
  process.stderr.write(`${((performance.now() - start) / 1000).toFixed(1)} s\n`)
}

/**
 * A step that is skipped while `key` is the same as when it last succeeded and what it made (`result`) is still there.
 * The stamp is written last, so an interrupted step runs again.
 */
export async function stampedStep(title, { name, key, result }, work) {
  const stamp = join(root, ".cache", `${name}.stamp`)
  if (existsSync(stamp) && existsSync(join(root, result)) && readFileSync(stamp, "utf8") === key) return
  await step(title, work)
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, key)
}

/** A stamp key over files of the clone. The platform counts, because clones get mounted into containers. */
export function keyOfFiles(...files) {
  const hash = createHash("sha256").update(`${process.platform} ${process.arch}`)
  for (const file of files) hash.update(`\0${file}\0`).update(readFileSync(join(root, file)))
  return hash.digest("hex")
}

async function runOrFail(file, args, options) {
  const { code, output } = await capture(file, args, options).catch((error) => ({ code: 127, output: error.message }))
  if (code === 0) return
  const shown = [file, ...args].join(" ").replaceAll(`${root}/`, "")
  throw new SetupFailed(`${shown} ended with exit code ${code}`, `${output.trim()}\n${hintFor(output)}`, code)
}

const networkFault =
  /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ERR_SOCKET|ERR_PNPM_META_FETCH_FAIL|fetch failed|dns error|network request/i

/** What to do when npm or pnpm could not fetch something. */
export const registryHint =
  "The package registry did not answer. Check the network, the proxy (HTTPS_PROXY) and `npm config get registry`,\n" +
  "then run the same command again: finished steps are kept."

const hintFor = (output) => (networkFault.test(output) ? `\n${registryHint}` : "")
