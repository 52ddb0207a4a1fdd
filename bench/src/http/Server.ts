import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createServer } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"

import * as Cores from "../Cores.ts"

/** How to start a service that answers `/recommend/cached/{user_id}`; it finds its port in `PORT`. */
export interface Command {
  readonly name: string
  readonly command: string
  readonly args: (port: number) => ReadonlyArray<string>
  readonly environment: Readonly<Record<string, string>>
}

/** A running service. */
export interface Server {
  readonly name: string
  readonly origin: string
  /** Seconds of CPU that it and its workers have used; NaN where there is no `/proc`. */
  readonly cpuSeconds: () => number
  readonly stop: () => Promise<void>
}

const host = "127.0.0.1"

/** Time a service has to answer its first request. */
const patienceMilliseconds = 30_000

/** Starts a service on the measured core and waits for its first reply; throws what it printed when it ends before. */
export const start = async ({ name, command, args, environment }: Command): Promise<Server> => {
  const port = await freePort()
  const child = Cores.start(Cores.measured, command, args(port), {
    env: { ...process.env, ...environment, HOST: host, PORT: String(port) },
    stdio: ["ignore", "ignore", "pipe"]
  })
  let printed = ""
  child.stderr?.on("data", (chunk: Buffer) => {
    printed = (printed + chunk.toString()).slice(-2000)
  })
  const origin = `http://${host}:${port}`
  const stop = () => end(child)
  try {
    await answers(child, `${origin}/recommend/cached/1?top_n=20`, performance.now() + patienceMilliseconds)
  } catch {
    await stop()
    throw new Error(`${name} doesn't answer\n${printed}`)
  }
  return { name, origin, cpuSeconds: () => cpuSecondsOf(child.pid ?? 0), stop }
}

const end = async (child: ChildProcess) => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, "exit")
  child.kill()
  const late = setTimeout(() => child.kill("SIGKILL"), 5000)
  await gone
  clearTimeout(late)
}

const answers = async (child: ChildProcess, url: string, until: number): Promise<void> => {
  if (child.exitCode !== null || performance.now() > until) throw new Error("no answer")
  const status = await fetch(url).then(
    async (reply) => {
      await reply.text()
      return reply.status
    },
    () => 0
  )
  if (status === 200) return
  await sleep(100)
  return answers(child, url, until)
}

const freePort = async () => {
  const server = createServer().listen(0, host)
  await once(server, "listening")
  const address = server.address()
  server.close()
  await once(server, "close")
  if (address === null || typeof address === "string") throw new Error("no free port on loopback")
  return address.port
}

/** User and system time of `/proc/PID/stat` (proc_pid_stat(5), fields 14 and 15), in ticks of a hundredth of a second. */
const cpuSecondsOf = (pid: number): number => {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ")
    const own = (Number(fields[11]) + Number(fields[12])) / 100
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim()
    return children === "" ? own : children.split(" ").reduce((sum, child) => sum + cpuSecondsOf(Number(child)), own)
  } catch {
    return Number.NaN
  }
}
