import type { IncomingHttpHeaders } from "node:http"

/**
 * One request and its answer on undici's pool.
 *
 * A fast path: `Pool.dispatch` with a handler of our own costs 42 µs a request, `Pool.request` 67, Effect's HttpClient 198.
 *
 * @since 0.1.0
 */
import * as Deadline from "@leat/core/Deadline"
import * as Effect from "effect/Effect"
import type { Dispatcher } from "undici"
import type Pool from "undici/lib/dispatcher/pool.js"

import * as Verdict from "./Verdict.ts"

/**
 * What is sent and how much is waited for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request {
  readonly method: "GET" | "POST"
  readonly path: string
  readonly body?: string
  /** Milliseconds for the whole exchange, the wait for a free connection included. */
  readonly timeout: number
  readonly maxBytes: number
}

/**
 * Sends a request. An interruption aborts it.
 *
 * @category combinators
 * @since 0.1.0
 */
export const send = (pool: Pool, request: Request): Effect.Effect<Verdict.Reply, Verdict.Failure> =>
  Effect.callback((resume) => {
    const exchange = new Exchange(request.maxBytes, (found) => {
      clearTimeout(timer)
      resume("reason" in found ? Effect.fail(found) : Effect.succeed(found))
    })
    const timer = setTimeout(() => exchange.expire(request.timeout), request.timeout)
    exchange.begin(pool, request)
    return Effect.sync(() => {
      clearTimeout(timer)
      exchange.abort()
    })
  })

const json = "application/json"
const post = ["accept", json, "content-type", json]

/**
 * One request in flight. Calls `done` once, unless it was aborted.
 *
 * @category models
 * @since 0.1.0
 */
export class Exchange implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | undefined
  private done: ((found: Verdict.Reply | Verdict.Failure) => void) | undefined
  private readonly maxBytes: number
  private status = 0
  private headers: IncomingHttpHeaders = none
  private first: Buffer | undefined
  private rest: Array<Buffer> | undefined
  private bytes = 0

  constructor(maxBytes: number, done: (found: Verdict.Reply | Verdict.Failure) => void) {
    this.maxBytes = maxBytes
    this.done = done
  }

  begin(pool: Pool, { body, method, path, timeout }: Omit<Request, "maxBytes">): void {
    const waits = String(Math.max(1, Math.floor(timeout)))
    const headers = body === undefined ? ["accept", json, Deadline.header, waits] : [...post, Deadline.header, waits]
    // All endpoints only read, so all are idempotent.
    const options = { method, path, headers, body: body ?? null, idempotent: true }
    try {
      pool.dispatch(options, this)
    } catch (error) {
      this.onResponseError(undefined, error instanceof Error ? error : new Error("dispatch failed"))
    }
  }

  get isDone(): boolean {
    return this.done === undefined
  }

  expire(timeout: number): void {
    this.give(late(timeout))
  }

  abort(): void {
    this.done = undefined
    this.controller?.abort(aborted)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller
    if (this.done === undefined) controller.abort(aborted)
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.status = status
    this.headers = headers
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.bytes += chunk.length
    if (this.bytes > this.maxBytes) this.give(tooLarge(this.maxBytes))
    else if (this.first === undefined) this.first = chunk
    else (this.rest ??= [this.first]).push(chunk)
  }

  onResponseEnd(): void {
    this.give({
      status: this.status,
      retryAfter: text(this.headers["retry-after"]),
      model: text(this.headers["x-leat-model"]),
      body: this.rest === undefined ? (this.first ?? nothing) : Buffer.concat(this.rest)
    })
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    this.give(Verdict.ofError(error))
  }

  private give(found: Verdict.Reply | Verdict.Failure): void {
    const done = this.done
    if (done === undefined) return
    this.done = undefined
    if ("reason" in found) this.controller?.abort(aborted)
    done(found)
  }
}

const none: IncomingHttpHeaders = {}
const nothing = Buffer.alloc(0)

// One for all: undici wants an error to abort with, and nobody reads its stack.
const aborted = new Error("aborted")

const late = (timeout: number): Verdict.Failure => Verdict.failure("Timeout", `no answer in ${Math.round(timeout)} ms`)

const tooLarge = (maxBytes: number): Verdict.Failure =>
  Verdict.failure("BadAnswer", `the answer is larger than ${maxBytes} bytes`)

const text = (header: string | ReadonlyArray<string> | undefined): string | undefined =>
  typeof header === "string" ? header : header?.[0]
