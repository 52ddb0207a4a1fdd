/**
 * From a fresh clone to the running program with nothing but Node 20 or later and npm.
 *
 *   npm start [-- ARGS]    the whole system on this machine (apps/local)
 *   npm test  [-- ARGS]    every test; ARGS go to Vitest, such as a file name
 *   node scripts/run.mjs exec COMMAND [ARGS]    any command with the project's Node and pnpm first on PATH
 *   node scripts/run.mjs setup                  only install and build
 *
 * Plain JavaScript, because the Node that reads this file may be too old to strip types. What it installs stays inside
 * the clone (.cache, tools/node, node_modules) and finished steps are not repeated.
 */
import { join } from "node:path"

import { commandOf, childEnvironment } from "./setup/environment.mjs"
import { execute } from "./setup/execute.mjs"
import { root } from "./setup/root.mjs"
import { SetupFailed, step } from "./setup/step.mjs"
import { ensureDependencies, ensureNode, ensurePnpm } from "./setup/tools.mjs"

const usage = "usage: node scripts/run.mjs start|test|exec|setup [ARGS]"

const targets = {
  async start(tools, args) {
    await build(tools)
    await bundleLambda(tools)
    return execute(tools.node, ["--disable-warning=ExperimentalWarning", "apps/local/src/main.ts", ...args], {
      env: tools.env
    })
  },
  async test(tools, args) {
    await build(tools)
    await bundleLambda(tools)
    const vitest = join(root, "node_modules/vitest/vitest.mjs")
    return execute(tools.node, [vitest, "run", "--project", "unit", "--project", "integration", ...args], {
      env: tools.env
    })
  },
  exec(tools, [command, ...args]) {
    if (command === undefined) throw new SetupFailed("exec needs a command", usage)
    const { file, args: all, shell } = commandOf(command, args, tools)
    return execute(file, all, { env: tools.env, shell })
  },
  async setup(tools) {
    await build(tools)
    return 0
  }
}

/** tsc works out by itself what is stale, so this step needs no stamp. */
const build = (tools) =>
  step("building the packages", (run) => run(tools.node, [tools.pnpm, "run", "build"], { env: tools.env }))

/** The local system and some tests drive the bundle that Lambda would get, not its sources. */
const bundleLambda = (tools) =>
  step("bundling the Lambda handler", (run) =>
    run(tools.node, [tools.pnpm, "--filter", "kinesis-lambda", "build"], { env: tools.env })
  )

async function ensureTools() {
  const node = await ensureNode()
  const pnpm = await ensurePnpm()
  const env = childEnvironment(node)
  await ensureDependencies({ node, pnpm, env })
  return { node, pnpm, env }
}

async function main([name, ...args]) {
  const target = Object.hasOwn(targets, name ?? "") ? targets[name] : undefined
  if (target === undefined) throw new SetupFailed("no such command", usage)
  return target(await ensureTools(), args)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof SetupFailed)) throw error
  console.error(`\nleat: ${error.message}\n${error.hint}`)
  process.exitCode = error.exitCode
}
