/** A DynamoDB in this process. */
import type { Server } from "node:http"
import { createRequire } from "node:module"
import type { AddressInfo } from "node:net"

type Dynalite = (options: { readonly createTableMs: number }) => Server

const dynalite = createRequire(import.meta.url)("dynalite") as Dynalite

/** Starts one that keeps nobody waiting, also not for the end of the process; `createTableMs`: how long a table takes. */
export const endpoint = async (createTableMs = 0): Promise<string> => {
  const server = dynalite({ createTableMs })
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening))
  server.unref()
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
