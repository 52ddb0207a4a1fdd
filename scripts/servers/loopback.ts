/** The only network that test servers listen on. */
import { once } from "node:events"
import { createServer } from "node:net"

export const host = "127.0.0.1"

/** The system's choice. Another process could take it before the server does; then the start fails and says so. */
export const freePort = async (): Promise<number> => {
  const probe = createServer().listen(0, host)
  await once(probe, "listening")
  const address = probe.address()
  probe.close()
  await once(probe, "close")
  if (address === null || typeof address === "string") throw new Error("no free port on loopback")
  return address.port
}
