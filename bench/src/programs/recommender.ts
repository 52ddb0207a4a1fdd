import { Pool } from "undici"
import type { Dispatcher } from "undici"

/** One way of asking the recommendation service. A reply other than 200 rejects; the body comes back unchecked. */
export interface RecommenderClient {
  readonly ask: (userId: number, topN: number) => Promise<unknown>
  readonly close: () => Promise<void>
}

/** Keep-alive connections to the recommender, the same for every program that has a pool. */
const connections = 100

const pathOf = (userId: number, topN: number) => `/internal/recommend/${userId}?top_n=${topN}`

const poolOf = (origin: string) => new Pool(origin, { connections, pipelining: 1 })

/** undici's documented way: `Pool.request`. */
export const viaRequest = (origin: string): RecommenderClient => {
  const pool = poolOf(origin)
  return {
    ask: async (userId, topN) => {
      const reply = await pool.request({ path: pathOf(userId, topN), method: "GET" })
      if (reply.statusCode === 200) return reply.body.json()
      await reply.body.dump()
      throw new Error(`the recommender answered ${reply.statusCode}`)
    },
    close: () => pool.destroy()
  }
}

/** undici's cheapest public way: `Pool.dispatch`, without a stream and without a promise of its own. */
export const viaDispatch = (origin: string): RecommenderClient => {
  const pool = poolOf(origin)
  return {
    ask: (userId, topN) =>
      new Promise((resolve, reject) => {
        pool.dispatch({ path: pathOf(userId, topN), method: "GET" }, new JsonReply(resolve, reject))
      }),
    close: () => pool.destroy()
  }
}

/** Node's global `fetch`. */
export const viaFetch = (origin: string): RecommenderClient => ({
  ask: async (userId, topN) => {
    const reply = await fetch(origin + pathOf(userId, topN))
    if (reply.status === 200) return reply.json()
    await reply.text()
    throw new Error(`the recommender answered ${reply.status}`)
  },
  close: () => Promise.resolve()
})

class JsonReply implements Dispatcher.DispatchHandler {
  private status = 0
  private body: Buffer | undefined
  private readonly resolve: (body: unknown) => void
  private readonly reject: (cause: unknown) => void

  constructor(resolve: (body: unknown) => void, reject: (cause: unknown) => void) {
    this.resolve = resolve
    this.reject = reject
  }

  onRequestStart() {}

  onResponseStart(_controller: Dispatcher.DispatchController, status: number) {
    this.status = status
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer) {
    this.body = this.body === undefined ? chunk : Buffer.concat([this.body, chunk])
  }

  onResponseEnd() {
    if (this.status !== 200) return this.reject(new Error(`the recommender answered ${this.status}`))
    try {
      this.resolve(JSON.parse(this.body?.toString("utf8") ?? ""))
    } catch (cause) {
      this.reject(cause)
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, cause: Error) {
    this.reject(cause)
  }
}
