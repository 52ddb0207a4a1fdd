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

export const RedisServer = {
  /** Starts a server and waits until it answers. `port`: a free one by default; give the old one to restart in place. */
  async start({ port }: { readonly port?: number } = {}): Promise<RedisServer> {
    const source = ensureRedisServer()
    const chosen = port ?? (await freePort())
    return answering(source.kind === "program" ? startProgram(source, chosen) : startImage(source, chosen))
  }
}

const startProgram = ({ command, env }: RedisProgram, port: number): Starting<RedisServer> => {
  const dir = temporaryDir("leat-redis-")
  const flags = ["--port", String(port), "--bind", host, "--save", "", "--appendonly", "no", "--dir", dir.path]
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
