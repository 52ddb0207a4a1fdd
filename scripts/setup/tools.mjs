/** Node, pnpm and the dependencies: each installed once, inside the clone. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { cleanEnvironment, npmCommand, pnpmHome } from "./environment.mjs"
import { root } from "./root.mjs"
import { keyOfFiles, registryHint, SetupFailed, stampedStep } from "./step.mjs"

/** The first Node that strips types without a flag and that Vitest 5 accepts. 23 is past its end of life. */
const isNewEnough = ([major, minor]) => (major === 22 && minor >= 19) || major >= 24

/** The caller's Node when it is new enough, else the one pinned in tools/node, from the npm registry. */
export async function ensureNode() {
  if (isNewEnough(process.versions.node.split(".").map(Number))) return process.execPath
  const { name, version } = pinnedNode()
  const executable = join("tools/node/node_modules", name, process.platform === "win32" ? "bin/node.exe" : "bin/node")
  const stamp = { name: "node", key: keyOfFiles("tools/node/package-lock.json"), result: executable }
  await stampedStep(`Node ${process.version} is too old here, getting ${version} from npm`, stamp, async (run) => {
    const npm = npmCommand(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
    await run(npm.file, npm.args, { ...npm, cwd: join(root, "tools/node"), env: cleanEnvironment() })
    assertRuns(join(root, executable))
  })
  return join(root, executable)
}

function pinnedNode() {
  const { optionalDependencies } = readJson("tools/node/package.json")
  const name = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`
  const version = optionalDependencies[name]
  if (version === undefined)
    throw new SetupFailed(`no Node for ${process.platform} ${process.arch} on npm`, ownNodeHint)
  return { name, version }
}

/**
 * npm takes an optional package that it could not fetch for one that is not wanted, and succeeds. Linux without glibc
 * (Alpine) gets the package and then can't start it.
 */
function assertRuns(node) {
  if (!existsSync(node)) throw new SetupFailed("npm could not fetch Node", `${registryHint}\n${ownNodeHint}`)
  if (spawnSync(node, ["--version"]).status !== 0) {
    throw new SetupFailed("the Node from npm does not start on this system", ownNodeHint)
  }
}

const ownNodeHint =
  `Leat needs Node 22.19 or later and this is ${process.version}.\n` +
  "Install a newer one (`brew install node`, `nvm install 24`, https://nodejs.org) and run the same command again."

/** The pnpm that package.json pins. No lock: npm's would name platform packages that not every registry mirror has. */
export async function ensurePnpm() {
  const [, version] = readJson("package.json").packageManager.split("@")
  const cli = join(pnpmHome, "node_modules/pnpm/bin/pnpm.mjs")
  const key = `${version} ${process.platform} ${process.arch}`
  await stampedStep(`getting pnpm ${version}`, { name: "pnpm", key, result: cli }, async (run) => {
    const home = join(root, pnpmHome)
    mkdirSync(home, { recursive: true })
    writeFileSync(join(home, "package.json"), '{ "private": true }\n')
    const flags = ["--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
    const npm = npmCommand(["install", ...flags, `pnpm@${version}`])
    await run(npm.file, npm.args, { ...npm, cwd: home, env: cleanEnvironment() })
  })
  return join(root, cli)
}

/** Exactly what pnpm-lock.yaml says; a manifest that it doesn't cover is an error, not a silent update. */
export async function ensureDependencies({ node, pnpm, env }) {
  const key = keyOfFiles("package.json", "pnpm-workspace.yaml", "pnpm-lock.yaml")
  const stamp = { name: "dependencies", key, result: "node_modules/.modules.yaml" }
  await stampedStep("installing the dependencies", stamp, (run) =>
    run(node, [pnpm, "install", "--frozen-lockfile"], { env })
  )
}

function readJson(file) {
  return JSON.parse(readFileSync(join(root, file), "utf8"))
}
