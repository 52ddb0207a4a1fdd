/** The only network that test servers listen on. */
import { once } from "node:events"
import { createServer } from "node:net"

export const host = "127.0.0.1"

// Below what systems give to whoever doesn't ask for a port (from 32768 on Linux, 49152 elsewhere): nobody takes it while its
// server is down, not even a client of that server, which would meet itself on the port that it calls.
const lowest = 11_000
const highest = 32_000

/** A port that was free a moment ago. Another process could take it before the server does; then the start fails and says so. */
export const freePort = async (below = highest, tries = 100): Promise<number> => {
  if (tries === 0) throw new Error("no free port on loopback")
  const port = lowest + Math.floor(Math.random() * (below - lowest))
  return (await isFree(port)) ? port : freePort(below, tries - 1)
}

const isFree = async (port: number): Promise<boolean> => {
  const probe = createServer()
  try {
    await once(probe.listen(port, host), "listening")
  } catch {
    return false
  }
  probe.close()
  await once(probe, "close")
  return true
}
