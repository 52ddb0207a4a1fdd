/** Another program on the same Redis: speaks its protocol by hand, so that our own client proves nothing to itself. */
import { connect } from "node:net"

export type Reply = string | number | null | ReadonlyArray<Reply>

/** Sends one command and gives its reply. */
export const command = (port: number, ...words: ReadonlyArray<string>): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => {
      const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
      socket.write(`*${words.length}\r\n${parts.join("")}`)
    })
    let text = ""
    socket.on("error", reject)
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1")
      const read = reply(text)
      if (read === undefined) return
      socket.destroy()
      if (typeof read.value === "string" && text.startsWith("-")) reject(new Error(read.value))
      else resolve(read.value)
    })
  })

interface Read {
  readonly value: Reply
  readonly rest: string
}

/** `undefined`: not all of it has come. */
const reply = (text: string): Read | undefined => {
  const end = text.indexOf("\r\n")
  if (end === -1) return undefined
  const head = text.slice(1, end)
  const rest = text.slice(end + 2)
  switch (text[0]) {
    case ":":
      return { value: Number(head), rest }
    case "$":
      return bulk(Number(head), rest)
    case "*":
      return list(Number(head), rest)
    default:
      return { value: head, rest }
  }
}

const bulk = (length: number, rest: string): Read | undefined => {
  if (length === -1) return { value: null, rest }
  return rest.length < length + 2 ? undefined : { value: rest.slice(0, length), rest: rest.slice(length + 2) }
}

const list = (length: number, text: string): Read | undefined => {
  const value: Array<Reply> = []
  let rest = text
  while (value.length < length) {
    const one = reply(rest)
    if (one === undefined) return undefined
    value.push(one.value)
    rest = one.rest
  }
  return { value, rest }
}
