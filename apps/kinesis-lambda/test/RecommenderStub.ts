/** A recommendation service on node:http that answers as a test wants it to, written without our own client or server. */
import { once } from "node:events"
import { createServer } from "node:http"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface Question {
  readonly user_id: number
  readonly top_n: number
}

/** What was asked, in one call: one question, or those of a batch. */
export interface Call {
  readonly batch: boolean
  readonly questions: ReadonlyArray<Question>
}

export type Behaviour = (call: Call, response: ServerResponse) => void

export interface RecommenderStub {
  readonly url: string
  readonly port: number
  readonly calls: Array<Call>
  behave: Behaviour
  popular: ReadonlyArray<number> | undefined
  /** Refuses connections from now on, and cuts those there are. */
  readonly stop: () => Promise<void>
  /** Listens again, on the same port. */
  readonly start: () => Promise<void>
}

/** The films of a user: another list for every user, best first. */
export const films = ({ top_n, user_id }: Question): ReadonlyArray<number> =>
  Array.from({ length: top_n }, (_, rank) => (user_id % 1_000_000_000) * 1_000 + rank)

const answerTo = (question: Question) => ({
  user_id: question.user_id,
  recommendations: films(question),
  count: question.top_n
})

const json = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
}

/** Keeps the contract. */
export const good: Behaviour = ({ batch, questions }, response) => {
  const answers = questions.map(answerTo)
  json(response, 200, batch ? { results: answers } : answers[0])
}

/** An older service: no batch endpoint. */
export const withoutBatch: Behaviour = (call, response) =>
  call.batch ? json(response, 404, { detail: "Not Found" }) : good(call, response)

export const status =
  (code: number, headers: Record<string, string> = {}): Behaviour =>
  (_call, response) => {
    response.writeHead(code, headers).end("no")
  }

/** 200 and a body of the test's choice. */
export const body =
  (text: string): Behaviour =>
  (_call, response) => {
    response.writeHead(200, { "content-type": "application/json" }).end(text)
  }

/** Promises more bytes than it sends, and hangs up. */
export const truncated: Behaviour = (_call, response) => {
  response.writeHead(200, { "content-type": "application/json", "content-length": "1000" })
  response.write('{"results":[{"user_id":1,')
  setTimeout(() => response.destroy(), 10)
}

/** Takes the question and never answers. */
export const hang: Behaviour = () => {}

export const start: Effect.Effect<RecommenderStub, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() => listen()),
  ({ stop }) => Effect.promise(stop)
)

const listen = async (): Promise<RecommenderStub> => {
  const server = createServer((request, response) => void serve(request, response))
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    // A service as there are many: without a list of popular films, unless the test has one.
    if (request.url?.startsWith("/internal/popular") === true) {
      const { popular } = stub
      return popular === undefined
        ? json(response, 404, { detail: "Not Found" })
        : json(response, 200, { recommendations: popular, count: popular.length })
    }
    const call = await read(request)
    stub.calls.push(call)
    stub.behave(call, response)
  }
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  const stub: RecommenderStub = {
    url: `http://127.0.0.1:${port}`,
    port,
    calls: [],
    behave: good,
    popular: undefined,
    stop: async () => {
      if (!server.listening) return
      const closed = once(server, "close")
      server.close()
      server.closeAllConnections()
      await closed
    },
    start: async () => {
      server.listen(port, "127.0.0.1")
      await once(server, "listening")
    }
  }
  return stub
}

const read = async (request: IncomingMessage): Promise<Call> => {
  let text = ""
  for await (const chunk of request) text += String(chunk)
  if (request.method === "POST") {
    return { batch: true, questions: (JSON.parse(text) as { readonly requests: ReadonlyArray<Question> }).requests }
  }
  const url = new URL(request.url ?? "/", "http://stub")
  const user_id = Number(url.pathname.split("/").at(-1))
  return { batch: false, questions: [{ user_id, top_n: Number(url.searchParams.get("top_n")) }] }
}
