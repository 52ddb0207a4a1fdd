/** A caller that sends what it is told to, byte by byte: `fetch` mends paths and refuses half of what has to be tried. */
import { request } from "node:http"
import type { IncomingHttpHeaders } from "node:http"

import * as Effect from "effect/Effect"
import { assert } from "vitest"

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly took: number
}

export interface Sent {
  readonly method?: string
  readonly headers?: { readonly [name: string]: string }
  readonly body?: string | Uint8Array
}

/** The server may answer before it has read all; what it said is then the answer, not the broken pipe. */
export const send = (port: number, path: string, { body, headers, method }: Sent = {}): Effect.Effect<Answer> =>
  Effect.callback((resume) => {
    const begun = performance.now()
    const outgoing = request({
      host: "127.0.0.1",
      port,
      path,
      agent: false,
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers: { ...headers }
    })
    outgoing.on("response", (response) => {
      let text = ""
      const done = () =>
        resume(
          Effect.succeed({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            took: performance.now() - begun
          })
        )
      response.on("data", (chunk: Buffer) => (text += chunk.toString("utf8")))
      response.on("close", done)
    })
    outgoing.on("error", (error) => resume(Effect.die(error)))
    outgoing.end(body)
    return Effect.sync(() => outgoing.destroy())
  })

export const json = { "content-type": "application/json" }

interface Fault {
  readonly path: ReadonlyArray<string | number>
  readonly message: string
}

/** The paths of the faults that a problem names, after a look at its form. */
export const faultsOf = (answer: Answer): ReadonlyArray<string> => {
  assert.match(answer.headers["content-type"] ?? "", /^application\/problem\+json/)
  const problem = JSON.parse(answer.text) as {
    readonly type: string
    readonly title: string
    readonly status: number
    readonly errors?: ReadonlyArray<Fault>
  }
  assert.strictEqual(problem.status, answer.status)
  assert.isString(problem.type)
  assert.isAbove(problem.title.length, 0)
  for (const { message } of problem.errors ?? []) assert.isAbove(message.length, 0)
  return (problem.errors ?? []).map(({ path }) => path.join("."))
}
