/** What lies between a client and its Redis, and can go wrong as a network does. */
import { once } from "node:events"
import { connect, createServer } from "node:net"
import type { AddressInfo, Socket } from "node:net"

/** A proxy in front of a server on loopback. */
export interface RedisWire {
  readonly port: number
  /** Milliseconds by which replies are late. */
  delay: number
  /** Swallows everything without hanging up; a connection that met it stays so: a half-open one never recovers. */
  blackHole: boolean
  /** Hangs up on everybody. */
  readonly cut: () => void
  readonly stop: () => Promise<void>
}

export const RedisWire = {
  async start(port: number): Promise<RedisWire> {
    const sockets = new Set<Socket>()
    const proxy = createServer((client) => {
      const upstream = connect(port, "127.0.0.1")
      for (const [socket, other] of [
        [client, upstream],
        [upstream, client]
      ] as const) {
        sockets.add(socket)
        socket.on("error", () => {})
        socket.on("close", () => {
          sockets.delete(socket)
          if (!swallowed) other.destroy()
        })
      }
      let swallowed = false
      client.on("data", (data) => {
        swallowed ||= wire.blackHole
        if (!swallowed) upstream.write(data)
      })
      upstream.on("data", (data) => {
        const pass = () => void (swallowed || client.destroyed || client.write(data))
        if (wire.delay > 0) setTimeout(pass, wire.delay)
        else pass()
      })
    })
    proxy.listen(0, "127.0.0.1")
    await once(proxy, "listening")
    const cut = () => {
      for (const socket of sockets) socket.destroy()
    }
    const wire: RedisWire = {
      port: (proxy.address() as AddressInfo).port,
      delay: 0,
      blackHole: false,
      cut,
      stop: async () => {
        const closed = once(proxy, "close")
        proxy.close()
        cut()
        await closed
      }
    }
    return wire
  }
}
