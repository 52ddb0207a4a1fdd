/** One child process from start to exit code, with the signals that concern it. */
import { spawn } from "node:child_process"
import { constants } from "node:os"

import { root } from "./root.mjs"

/** Long enough for a program to end on the terminal's own signal before it gets a second one from here. */
const terminalGrace = 2_000

const orphanCheck = 250

/** Runs a program on this terminal; resolves to its exit code, 128 + n when signal n ended it (as shells do). */
export function execute(file, args, { env, shell = false } = {}) {
  const child = spawn(file, args, { cwd: root, env, shell, stdio: "inherit" })
  return exitOf(child)
}

/** Runs a program unseen, without stdin (so that nothing can wait for an answer), and keeps what it printed. */
export async function capture(file, args, { env, shell = false, cwd = root } = {}) {
  const child = spawn(file, args, { cwd, env, shell, stdio: ["ignore", "pipe", "pipe"] })
  let output = ""
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text))
  const code = await exitOf(child)
  return { code, output }
}

function exitOf(child) {
  const stopForwarding = forwardSignals(child)
  return new Promise((resolve, reject) => {
    child.once("error", (error) => {
      stopForwarding()
      reject(error)
    })
    child.once("close", (code, signal) => {
      stopForwarding()
      resolve(code ?? 128 + constants.signals[signal])
    })
  })
}

/**
 * This process must outlive its child to report the child's exit code, so it handles the signals that would end it and
 * passes them on.
 *
 * Ctrl-C is special: a terminal sends SIGINT to the whole foreground group, the child included, and npm sends this
 * process another one. A child that takes a second Ctrl-C for "at once" (Vitest and apps/local do) must not get it from a
 * single key press: so on a terminal this waits and then asks with SIGTERM, and elsewhere it forwards one SIGINT and no
 * more.
 *
 * A signal sent to npm alone never arrives here: npm passes it to its `sh -c`, and most shells die of it without a word.
 * What is left to see is that the parent has changed.
 */
function forwardSignals(child) {
  const timers = []
  const interrupt = once(() => {
    if (process.stdin.isTTY) timers.push(setTimeout(() => child.kill("SIGTERM"), terminalGrace))
    else child.kill("SIGINT")
  })
  const handlers = {
    SIGINT: interrupt,
    SIGTERM: once(() => child.kill("SIGTERM")),
    SIGHUP: once(() => child.kill("SIGHUP"))
  }
  for (const [signal, handler] of Object.entries(handlers)) process.on(signal, handler)
  const parent = process.ppid
  const watch = setInterval(() => process.ppid !== parent && handlers.SIGTERM(), orphanCheck)
  return () => {
    clearInterval(watch)
    for (const timer of timers) clearTimeout(timer)
    for (const [signal, handler] of Object.entries(handlers)) process.off(signal, handler)
  }
}

function once(action) {
  let done = false
  return () => {
    if (!done) action()
    done = true
  }
}
