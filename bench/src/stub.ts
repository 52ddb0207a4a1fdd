/**
 * The recommendation service as the bench needs it: HTTP/1.1 by hand over `node:net`, so that the other side of the wire
 * costs as little as it can. Run as a process of its own; the arguments are listeners (`20,batch` = a delay of 20 ms, with
 * the batch endpoint), the ports go back to the parent as a message.
 */
import { createServer } from "node:net"
import type { AddressInfo, Socket } from "node:net"

import { brokenUsers, listOf } from "./workload.ts"

interface Listener {
  readonly delayMilliseconds: number
  readonly batch: boolean
}

interface Asked {
  readonly user_id: number
  readonly top_n: number
}

const reply = (status: string, body: string) =>
  `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`

const notFound = reply("404 Not Found", `{"status":404,"title":"Not Found"}`)
const broken = reply("500 Internal Server Error", `{"status":500,"title":"Internal Server Error"}`)

const isBroken = (userId: number) => userId >= brokenUsers.from && userId <= brokenUsers.to

const bodyFor = ({ user_id: userId, top_n: topN }: Asked) =>
  `{"user_id":${userId},"recommendations":[${listOf(userId, topN).join(",")}],"count":${topN}}`

const single = /^GET \/internal\/recommend\/(\d+)\?top_n=(\d+) /

const answerOne = (head: string) => {
  const match = single.exec(head)
  if (match === null) return notFound
  const asked = { user_id: Number(match[1]), top_n: Number(match[2]) }
  return isBroken(asked.user_id) ? broken : reply("200 OK", bodyFor(asked))
}

/** One broken user breaks the whole call: the client has to ask for the others one by one. */
const answerBatch = (body: string) => {
  const { requests }: { readonly requests: ReadonlyArray<Asked> } = JSON.parse(body)
  if (requests.some((asked) => isBroken(asked.user_id))) return broken
  return reply("200 OK", `{"results":[${requests.map(bodyFor).join(",")}]}`)
}

const answer = (head: string, body: string, { batch }: Listener) =>
  batch && head.startsWith("POST /internal/recommend ") ? answerBatch(body) : answerOne(head)

const contentLengthOf = (head: string) => Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0)

/** Takes the complete requests off the front of what has arrived; gives back what is left. */
const takeRequests = (arrived: string, take: (head: string, body: string) => void): string => {
  const headEnd = arrived.indexOf("\r\n\r\n")
  if (headEnd < 0) return arrived
  const head = arrived.slice(0, headEnd)
  const end = headEnd + 4 + contentLengthOf(head)
  if (arrived.length < end) return arrived
  take(head, arrived.slice(headEnd + 4, end))
  return takeRequests(arrived.slice(end), take)
}

const serve = (socket: Socket, listener: Listener) => {
  let arrived = ""
  const send = (head: string, body: string) => {
    const text = answer(head, body, listener)
    if (/\r\nconnection: close/i.test(head)) socket.end(text)
    else socket.write(text)
  }
  socket.setNoDelay(true)
  socket.on("error", () => socket.destroy())
  socket.on("data", (chunk) => {
    arrived = takeRequests(arrived + chunk.toString("latin1"), (head, body) => {
      if (listener.delayMilliseconds === 0) send(head, body)
      else setTimeout(send, listener.delayMilliseconds, head, body)
    })
  })
}

const listen = (listener: Listener) =>
  new Promise<number>((resolve, reject) => {
    const server = createServer((socket) => serve(socket, listener))
    server.once("error", reject)
    server.listen({ port: 0, host: "127.0.0.1", backlog: 1024 }, () => resolve(portOf(server.address())))
  })

const portOf = (address: AddressInfo | string | null) =>
  typeof address === "object" && address !== null ? address.port : 0

const listenerOf = (argument: string): Listener => ({
  delayMilliseconds: Number.parseInt(argument, 10),
  batch: argument.endsWith(",batch")
})

process.once("disconnect", () => process.exit(0))
process.send?.(await Promise.all(process.argv.slice(2).map((argument) => listen(listenerOf(argument)))))
