/**
 * A Redis server of a test's own, which it may stop, kill or freeze.
 *
 * It listens on loopback only, keeps nothing on disk and dies with the process that started it.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { connect, createServer, Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

import { ensureRedisServer, type RedisImage, type RedisProgram } from "./ensureRedis.ts"

/** A running server. */
export interface RedisServer {
  readonly host: string
  readonly port: number
  readonly pid: number
  /** Ends it in good order and waits until it has ended; doing it twice is fine. */
  readonly stop: () => Promise<void>
  /** Ends it at once (SIGKILL), as a crash does, and waits until it has ended. */
  readonly kill: () => Promise<void>
  /** Stops its clock (SIGSTOP): connections stay open and nothing answers. */
  readonly freeze: () => void
  /** Lets it go on after `freeze`. */
  readonly thaw: () => void
}

export const RedisServer = {
  /** Starts a server and waits until it answers. `port`: a free one by default; give the old one to restart in place. */
  async start({ port }: { readonly port?: number } = {}): Promise<RedisServer> {
    const source = ensureRedisServer()
    const chosen = port ?? (await freePort())
    const server = source.kind === "program" ? startProgram(source, chosen) : startContainer(source, chosen)
    try {
      await server.ready
    } catch (error) {
      await server.kill()
      throw error
    }
    return server
  }
}

const host = "127.0.0.1"

type Starting = RedisServer & { readonly ready: Promise<void> }

const startProgram = ({ command, env }: RedisProgram, port: number): Starting => {
  const dir = mkdtempSync(join(tmpdir(), "leat-redis-"))
  const flags = ["--port", String(port), "--bind", host, "--save", "", "--appendonly", "no", "--dir", dir]
  const child = spawn(command, flags, { env, stdio: ["ignore", "pipe", "pipe"] })
  const ended = endOf(child)
  // A server that a test forgot must not keep the process from ending, which then ends the server.
  unreference(child)
  const signal = (name: NodeJS.Signals) => void (child.exitCode === null && child.kill(name))
  const dieWithUs = () => {
    signal("SIGKILL")
    rmSync(dir, { recursive: true, force: true })
  }
  process.once("exit", dieWithUs)
  const end = async (name: NodeJS.Signals) => {
    // A frozen process keeps every signal but SIGKILL for later.
    child.ref()
    signal("SIGCONT")
    signal(name)
    await ended
    process.off("exit", dieWithUs)
    rmSync(dir, { recursive: true, force: true })
  }
  return {
    host,
    port,
    pid: child.pid ?? -1,
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
    freeze: () => signal("SIGSTOP"),
    thaw: () => signal("SIGCONT"),
    ready: answersBefore(port, ended, `process_id:${child.pid}`)
  }
}

const startContainer = ({ image }: RedisImage, port: number): Starting => {
  const docker = (...args: ReadonlyArray<string>) => execFileSync("docker", args, { encoding: "utf8" }).trim()
  const id = docker("run", "--detach", "--rm", "--publish", `${host}:${port}:6379`, image)
  let ended = false
  const remove = () => {
    if (!ended) docker("rm", "--force", id)
    ended = true
  }
  process.once("exit", remove)
  const end = async () => {
    remove()
    process.off("exit", remove)
  }
  return {
    host,
    port,
    pid: Number(docker("inspect", "--format", "{{.State.Pid}}", id)),
    stop: end,
    kill: end,
    freeze: () => void docker("pause", id),
    thaw: () => void docker("unpause", id),
    ready: answersBefore(port, new Promise<string>(() => {}), "redis_version:")
  }
}

const unreference = (child: ChildProcess) => {
  child.unref()
  for (const stream of [child.stdout, child.stderr]) if (stream instanceof Socket) stream.unref()
}

/** Resolves to what the server printed when it has ended, for whatever reason. */
const endOf = async (child: ChildProcess): Promise<string> => {
  let output = ""
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (text) => (output += text))
  try {
    await once(child, "close")
  } catch (error) {
    output += String(error)
  }
  return output
}

const patience = 10_000

/** Polls with INFO until the server says who it is: on a port that is taken, another one would answer a PING. */
const answersBefore = async (port: number, ended: Promise<string>, sign: string): Promise<void> => {
  const deadline = performance.now() + patience
  while (performance.now() < deadline) {
    if ((await firstReply(port, "INFO server\r\n")).includes(sign)) return
    const output = await Promise.race([ended, sleep(10)])
    if (output !== undefined) throw new Error(`redis-server ended before it answered on port ${port}\n${output}`)
  }
  throw new Error(`redis-server runs, but did not answer on port ${port} within ${patience} ms`)
}

/** What comes back first, or nothing when nobody answers. */
const firstReply = (port: number, command: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(port, host, () => socket.write(command))
    const settle = (reply: string) => {
      socket.destroy()
      resolve(reply)
    }
    socket.setTimeout(1_000, () => settle(""))
    socket.once("data", (reply) => settle(reply.toString()))
    socket.once("error", () => settle(""))
  })

/** The system's choice. Another process could take it before the server does; then the start fails and says so. */
const freePort = async (): Promise<number> => {
  const probe = createServer().listen(0, host)
  await once(probe, "listening")
  const address = probe.address()
  probe.close()
  await once(probe, "close")
  if (address === null || typeof address === "string") throw new Error("no free port on loopback")
  return address.port
}
