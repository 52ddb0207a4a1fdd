/** A server's process with the processes that it forks. */
import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process"
import { once } from "node:events"
import { existsSync, readFileSync } from "node:fs"
import { Socket } from "node:net"

import { printed } from "./command.ts"
import { keeper } from "./keeper.ts"

export interface Family {
  readonly pid: number
  /** Resolves to what they printed when the last of them has ended, for whatever reason. */
  readonly ended: Promise<string>
  /** Asks the parent to end with this signal, and waits for all; when they have ended it does nothing. */
  readonly stop: (signal: NodeJS.Signals) => Promise<void>
  readonly kill: () => Promise<void>
  readonly freeze: () => void
  readonly thaw: () => void
}

/** Starts a server that dies with this process, however that ends. */
export const startFamily = (command: string, args: ReadonlyArray<string>, options: SpawnOptions): Family => {
  const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] })
  const release = keeper(`kill -KILL "$1" $(cat "/proc/$1/task/$1/children")`, String(child.pid))
  const ended = endOf(child).finally(release)
  // A server that a test forgot must not keep the process from ending, which then ends the server.
  unreference(child)
  const parent = (name: NodeJS.Signals) => void (lives(child) && child.kill(name))
  const everybody = (name: NodeJS.Signals) => {
    // A parent that stands still forks nobody who isn't on the list, and sees no child die that it would replace.
    parent("SIGSTOP")
    for (const pid of lives(child) ? childrenOf(child.pid) : []) send(pid, name)
    parent(name)
  }
  const end = async (request: () => void) => {
    reference(child)
    request()
    await ended
  }
  return {
    pid: child.pid ?? -1,
    ended,
    stop: (signal) =>
      end(() => {
        // A frozen process keeps every signal but SIGKILL for later.
        everybody("SIGCONT")
        parent(signal)
      }),
    kill: () => end(() => everybody("SIGKILL")),
    freeze: () => everybody("SIGSTOP"),
    thaw: () => everybody("SIGCONT")
  }
}

/** Resolves to what it printed when it and all who write to the same pipes have ended. */
export const endOf = async (child: ChildProcess): Promise<string> => {
  let output = ""
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (text) => (output += text))
  try {
    await once(child, "close")
  } catch (error) {
    output += String(error)
  }
  return output
}

const lives = (child: ChildProcess): child is ChildProcess & { readonly pid: number } =>
  child.pid !== undefined && child.exitCode === null && child.signalCode === null

/** Linux lists them in a file (where `ps` may be missing); elsewhere `ps` does. */
const childrenOf = (pid: number): ReadonlyArray<number> => {
  const list = `/proc/${pid}/task/${pid}/children`
  if (existsSync(list)) return Array.from(readFileSync(list, "utf8").matchAll(/\d+/g), Number)
  const all = printed("ps", ["-A", "-o", "pid=,ppid="]).matchAll(/(\d+) +(\d+)/g)
  return Array.from(all, ([, child, parent]) => ({ child: Number(child), parent: Number(parent) }))
    .filter(({ parent }) => parent === pid)
    .map(({ child }) => child)
}

/** It may have ended since it was listed. */
const send = (pid: number, name: NodeJS.Signals) => {
  try {
    process.kill(pid, name)
  } catch {}
}

/** With its pipes: the parent may end before they do, and who waits for both must not run out of things to wait for. */
const reference = (child: ChildProcess) => {
  child.ref()
  for (const stream of pipesOf(child)) stream.ref()
}

const unreference = (child: ChildProcess) => {
  child.unref()
  for (const stream of pipesOf(child)) stream.unref()
}

const pipesOf = ({ stderr, stdout }: ChildProcess): ReadonlyArray<Socket> =>
  [stdout, stderr].filter((stream) => stream instanceof Socket)
