/** What the programs started by the setup see of the caller's environment. */
import { delimiter, dirname, join } from "node:path"

import { root } from "./root.mjs"

/** Where the pinned pnpm lives. */
export const pnpmHome = ".cache/pnpm"

/** The settings of npm that say how to reach a registry; pnpm should reach it the same way. */
const kept =
  /^npm_config_(registry|cache|userconfig|globalconfig|cafile|proxy|https_proxy|noproxy|strict_ssl|fetch_\w+)$/i

/**
 * The caller's environment without what `npm start` added to it: pnpm would take npm's variables for settings of its
 * own. NODE_ENV=production is dropped too, it would leave out the compiler.
 */
export function cleanEnvironment() {
  const own = ([name]) => name !== "NODE_ENV" && (!/^npm_/i.test(name) || kept.test(name))
  return Object.fromEntries(Object.entries(process.env).filter(own))
}

/** The same with the chosen Node and the pinned pnpm first on PATH, for scripts that call `node` or `pnpm` by name. */
export function childEnvironment(node) {
  const env = cleanEnvironment()
  const name = Object.keys(env).find((key) => key.toUpperCase() === "PATH") ?? "PATH"
  env[name] = [dirname(node), join(root, pnpmHome, "node_modules/.bin"), env[name] ?? ""].join(delimiter)
  return env
}

/** npm's own waits between retries (10 s to 60 s) keep somebody without a network in the dark for minutes. */
const patience = ["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"]

/** How to start npm: the one that started us where there is one, else the one on PATH (a .cmd file on Windows). */
export function npmCommand(args) {
  const cli = process.env.npm_execpath
  if (cli !== undefined && /npm-cli\.[cm]?js$/.test(cli))
    return { file: process.execPath, args: [cli, ...args, ...patience] }
  return { file: "npm", args: [...args, ...patience], shell: process.platform === "win32" }
}

/** `node` and `pnpm` by their files, everything else by PATH. */
export function commandOf(command, args, tools) {
  if (command === "node") return { file: tools.node, args }
  if (command === "pnpm") return { file: tools.node, args: [tools.pnpm, ...args] }
  return { file: command, args, shell: process.platform === "win32" }
}
