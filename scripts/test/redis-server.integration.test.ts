import { connect } from "node:net"

import { afterEach, describe, expect, inject, it } from "vitest"

import { RedisServer } from "../redis-server.ts"

const started: Array<RedisServer> = []
const start = async (options?: { readonly port?: number }) => {
  const server = await RedisServer.start(options)
  started.push(server)
  return server
}

afterEach(() => Promise.all(started.splice(0).map((server) => server.kill())))

/** The reply to a PING, the error's code, or silence for as long as `patience`. */
const ping = (port: number, patience = 5_000): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"))
    const settle = (text: string) => {
      socket.destroy()
      resolve(text)
    }
    socket.setTimeout(patience, () => settle("silence"))
    socket.once("data", (reply) => settle(reply.toString().trim()))
    socket.once("error", (error) => settle("code" in error ? String(error.code) : error.message))
  })

describe("a Redis of a test's own", () => {
  it("answers once started and refuses connections once stopped", async () => {
    const server = await start()
    expect(await ping(server.port)).toBe("+PONG")
    await server.stop()
    expect(await ping(server.port)).toBe("ECONNREFUSED")
  })

  it("comes back on its port after a kill", async () => {
    const server = await start()
    await server.kill()
    await start({ port: server.port })
    expect(await ping(server.port)).toBe("+PONG")
  })

  it("accepts connections and says nothing while frozen, and can be stopped frozen", async () => {
    const server = await start()
    server.freeze()
    expect(await ping(server.port, 100)).toBe("silence")
    server.thaw()
    expect(await ping(server.port)).toBe("+PONG")
    server.freeze()
    await server.stop()
    expect(await ping(server.port)).toBe("ECONNREFUSED")
  })

  it("doesn't take another server on its port for itself", async () => {
    const { port } = await start()
    await expect(start({ port })).rejects.toThrow("ended before it answered")
  })
})

it("is there for every integration test, shared", () => {
  expect(inject("redis")).toMatchObject({ host: expect.any(String), port: expect.any(Number) })
})
