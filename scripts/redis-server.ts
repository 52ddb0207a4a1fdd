/**
 * A Redis server of a test's own, which it may stop, kill or freeze.
 *
 * It listens on loopback only, keeps nothing on disk and dies with the process that started it.
 */
import { connect } from "node:net"

import { ensureRedisServer, type RedisProgram } from "./ensureRedis.ts"
import { startContainer } from "./servers/container.ts"
import { startFamily } from "./servers/family.ts"
import type { ServerImage } from "./servers/ladder.ts"
import { freePort, host } from "./servers/loopback.ts"
import { answering, type Server, type Starting } from "./servers/server.ts"
import { temporaryDir } from "./servers/temporary-dir.ts"

/** A running server. */
export type RedisServer = Server

interface StartOptions {
  readonly port?: number
  readonly flags?: ReadonlyArray<string>
  /** A configuration file. */
  readonly file?: string
}

export const RedisServer = {
  /**
   * Starts a server and waits until it answers. `port`: a free one by default; give the old one to restart in place. `flags`
   * are its own, as `["--maxmemory", "1mb"]`; they need a server that is installed, not one in a container.
   */
  async start(options: StartOptions = {}): Promise<RedisServer> {
    const { file, flags: own = [], port } = options
    const flags = file === undefined ? own : [file, ...own]
    const source = ensureRedisServer()
    const chosen = port ?? (await freePort())
    if (source.kind === "program") return answering(startProgram(source, chosen, flags))
    if (flags.length > 0) throw new Error("a server with flags needs redis-server or valkey-server on this machine")
    return answering(startImage(source, chosen))
  }
}

const startProgram = (
  { command, env }: RedisProgram,
  port: number,
  own: ReadonlyArray<string>
): Starting<RedisServer> => {
  const dir = temporaryDir("leat-redis-")
  const common = ["--port", String(port), "--bind", host, "--save", "", "--appendonly", "no", "--dir", dir.path]
  // A configuration file comes first.
  const flags = own[0]?.startsWith("--") === false ? [own[0], ...common, ...own.slice(1)] : [...common, ...own]
  const { pid, ended, stop, kill, freeze, thaw } = startFamily(command, flags, { env })
  const server: RedisServer = {
    host,
    port,
    pid,
    stop: () => stop("SIGTERM").finally(dir.discard),
    kill: () => kill().finally(dir.discard),
    freeze,
    thaw
  }
  return { name: "redis-server", server, ended, answers: () => says(`process_id:${pid}`, port) }
}

const startImage = ({ image }: ServerImage, port: number): Starting<RedisServer> => {
  const server = startContainer(image, { port, inside: 6379 })
  return { name: image, server, ended: new Promise(() => {}), answers: () => says("redis_version:", port) }
}

/** Whether it says who it is: on a port that is taken, another one would answer a PING. */
const says = async (sign: string, port: number): Promise<boolean> =>
  (await firstReply(port, "INFO server\r\n")).includes(sign)

/** Tells a server something in one line, and gives its first reply as it came. Throws what it refuses. */
export const tell = async (port: number, ...words: ReadonlyArray<string | number>): Promise<string> => {
  const reply = await firstReply(port, `${words.join(" ")}\r\n`)
  if (reply === "" || reply.startsWith("-"))
    throw new Error(`${words.join(" ")}: ${reply === "" ? "no answer" : reply}`)
  return reply
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
