import { CacheStoreError } from "@leat/core/CacheStore"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import { Command, Redis } from "ioredis"

import { Breaker } from "./breaker.ts"
import type { ClientOptions } from "./clientOptions.ts"
import { EncodedCommand } from "./encodedCommand.ts"
import { fault } from "./fault.ts"
import type { IamTokens } from "./iam.ts"

/** What became of the connection, for a log: at most one of each in an outage. */
export type Change = { readonly _tag: "Up" } | { readonly _tag: "Down"; readonly error: CacheStoreError }

/** What a {@link Connection} needs. */
export interface Surroundings {
  readonly redis: ClientOptions
  /** Milliseconds a batch may take. */
  readonly timeout: number
  readonly random: () => number
  /** Where the password is a token that must be renewed. */
  readonly tokens?: IamTokens | undefined
  readonly onChange: (change: Change) => void
}

/** Milliseconds worth waiting for a connection that was lost just now. */
const patience = 20

/**
 * One connection that never makes anybody wait for a server that isn't there.
 *
 * It is up while the server answers: the handshake of a new connection or, after timeouts, a PING. While it is not up
 * nothing is sent, and every call fails at once with one error made for the whole outage; the reconnecting client, or the
 * PING, is the only probe.
 */
export class Connection {
  readonly client: Redis
  readonly host: string
  readonly surroundings: Surroundings
  readonly breaker = new Breaker()
  readonly up = Latch.makeUnsafe(false)
  /** Opens when the first attempt to connect has ended, either way; `tried` says whether it has. */
  readonly attempted = Latch.makeUnsafe(false)
  tried = false
  /** Why nothing is sent; `undefined` while up. */
  refusal: CacheStoreError | undefined = closed("not connected yet")
  reported: CacheStoreError | undefined
  lostAt = -Infinity
  connected = false
  closing = false
  /** Batches that were sent and wait for their replies. */
  inFlight = 0
  probing: ReturnType<typeof setTimeout> | undefined
  beginning: ReturnType<typeof setTimeout> | undefined
  authenticatedAt = -Infinity

  constructor(surroundings: Surroundings) {
    this.surroundings = surroundings
    this.client = new Redis(surroundings.redis)
    this.host = surroundings.redis.host ?? ""
    // Without a listener ioredis prints every error itself.
    this.client.on("error", (error: Error) => this.refuse(fault(error)))
    this.client.on("close", () => this.lost())
    this.client.on("ready", () => this.answered())
    this.begin()
  }

  /** Connects; with a token as soon as there is one. */
  begin(): void {
    const { tokens } = this.surroundings
    if (tokens === undefined) return void this.client.connect().catch(() => {})
    // Read at each attempt to connect.
    Object.defineProperty(this.client.options, "password", { get: () => tokens.token, configurable: true })
    const connect = (): void => {
      if (!this.closing) this.client.connect().catch(() => {})
    }
    const failed = (error: unknown): void => {
      this.refuse(error instanceof CacheStoreError ? error : fault(error))
      this.wasTried()
      if (!this.closing) this.beginning = setTimeout(() => this.begin(), 1_000).unref()
    }
    tokens.renewed().then(connect, failed)
  }

  /** Shows a new token before the connection is ended for the old one's age. */
  authenticate(tokens: IamTokens): void {
    tokens.freshen((error) => this.refuse(error))
    if (tokens.isOld || !tokens.isLongAgo(this.authenticatedAt)) return
    this.authenticatedAt = tokens.now()
    const { password, username } = this.client.options
    const command = new Command("auth", [username ?? "default", password ?? ""])
    command.promise.catch((error: unknown) => this.refuse(fault(error)))
    this.client.sendCommand(command)
  }

  /** Sends a batch, made only if it can be sent, and waits `within` milliseconds for its replies. */
  exchange(
    batch: () => ReadonlyArray<Command>,
    within: number,
    each = false
  ): Effect.Effect<ReadonlyArray<unknown>, CacheStoreError> {
    return Effect.callback((resume) => {
      const refusal = this.check()
      if (refusal !== undefined) return resume(Effect.fail(refusal))
      const { tokens } = this.surroundings
      if (tokens !== undefined) this.authenticate(tokens)
      const done = (replies: ReadonlyArray<unknown>): void => {
        this.breaker.succeeded()
        resume(Effect.succeed(replies))
      }
      const failed = (error: CacheStoreError): void => {
        // A deadline that left the server less than its time says nothing about the server.
        if (error.reason === "Timeout" && within >= this.surroundings.timeout) this.timedOut()
        resume(Effect.fail(error))
      }
      return Effect.sync(this.send(batch(), within, done, failed, each))
    })
  }

  /**
   * The same, but when the connection was lost under it, or a moment before, waits for the next one and sends the batch
   * there: after a Lambda environment thawed the first batch meets a dead socket, and a new one is up within a few
   * milliseconds. Both attempts together stay within the time.
   */
  request(
    batch: () => ReadonlyArray<Command>,
    within: number,
    each = false
  ): Effect.Effect<ReadonlyArray<unknown>, CacheStoreError> {
    return Effect.suspend(() => {
      const start = performance.now()
      return Effect.catch(this.exchange(batch, within, each), (error) =>
        error.reason !== "Closed" || performance.now() - this.lostAt > patience
          ? Effect.fail(error)
          : Effect.flatMap(this.ready(patience), (ready) => {
              const left = within - (performance.now() - start)
              return ready && left > 1 ? this.exchange(batch, left, each) : Effect.fail(error)
            })
      )
    })
  }

  /** The same, but a command that the server refuses is an `Error` among the replies, and fails no other. */
  requestEach(
    batch: () => ReadonlyArray<Command>,
    within: number
  ): Effect.Effect<ReadonlyArray<unknown>, CacheStoreError> {
    return this.request(batch, within, true)
  }

  wasTried(): void {
    this.tried = true
    this.attempted.openUnsafe()
  }

  ready(within: number): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      this.check()
      return Effect.map(Effect.timeoutOption(this.up.await, within), Option.isSome)
    })
  }

  close(): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const wasUp = this.check() === undefined
      this.closing = true
      this.down(closed("closed"))
      clearTimeout(this.probing)
      clearTimeout(this.beginning)
      const end = (): void => {
        this.client.disconnect()
        // `disconnect` waits for the server to hang up too, which a frozen one does not. Before the first attempt there is
        // no stream, whatever its type says.
        const stream: Redis["stream"] | undefined = this.client.stream
        stream?.destroy()
        resume(Effect.void)
      }
      if (wasUp) this.send([new Command("quit")], this.surroundings.timeout, end, end)
      else end()
    })
  }

  /** Why nothing can be sent. ioredis says "ready" a little longer than the socket can be written to. */
  check(): CacheStoreError | undefined {
    if (this.refusal === undefined && !this.client.stream.writable) this.down(closed("the connection was lost"))
    return this.refusal
  }

  /** Returns what stops the waiting. */
  send(
    batch: ReadonlyArray<Command>,
    within: number,
    done: (replies: ReadonlyArray<unknown>) => void,
    failed: (error: CacheStoreError) => void,
    each = false
  ): () => void {
    let waiting = true
    const first = (): boolean => {
      if (!waiting) return false
      waiting = false
      this.inFlight -= 1
      clearTimeout(timer)
      return true
    }
    const late = (): void => {
      if (first()) failed(new CacheStoreError({ reason: "Timeout", message: `no reply within ${within} ms` }))
    }
    // One timer a batch. When this process itself was held up, its timers are called before its sockets are read, so the
    // verdict waits until the replies that had come by then were seen.
    const timer = setTimeout(() => setImmediate(late), within)
    if (this.inFlight > 0) this.gather()
    this.inFlight += 1
    for (const command of batch) this.client.sendCommand(command)
    const [only] = batch
    const settled: Promise<unknown> = each
      ? Promise.all(batch.map(settledOf))
      : only !== undefined && batch.length === 1
        ? only.promise
        : Promise.all(batch.map(promiseOf))
    const answer = (errors: unknown): void => {
      if (!first()) return
      const replies = batch.map(replyTo)
      done(each ? replies.map((reply, i) => (errors as ReadonlyArray<Error | undefined>)[i] ?? reply) : replies)
    }
    const refuse = (error: unknown): void => {
      if (first()) failed(fault(error))
    }
    settled.then(answer, refuse)
    return first
  }

  /**
   * Fast path: where other batches are in flight, as behind a busy HTTP service, what is sent in this turn of the event loop
   * goes out in one write. A batch that is alone, as a Lambda's is, is written at once. (`bench/`: a write is a third of what
   * a cached request costs.)
   */
  gather(): void {
    const { stream } = this.client
    if (stream.writableCorked > 0) return
    stream.cork()
    setImmediate(() => stream.uncork())
  }

  answered(): void {
    this.connected = true
    this.authenticatedAt = this.surroundings.tokens?.now() ?? 0
    if (this.breaker.open) this.probe()
    else this.isUp()
  }

  isUp(): void {
    if (this.closing) return
    this.breaker.close()
    this.refusal = undefined
    this.up.openUnsafe()
    this.wasTried()
    if (this.reported === undefined) return
    this.reported = undefined
    this.surroundings.onChange({ _tag: "Up" })
  }

  lost(): void {
    const { connected } = this
    this.connected = false
    this.wasTried()
    this.surroundings.tokens?.freshen((error) => this.refuse(error))
    // We hung up ourselves, and have said why.
    if (this.breaker.open) return
    if (connected) this.down(closed("the connection was lost"))
    // The first loss is nothing to speak of, an attempt that failed is.
    else if (this.refusal !== undefined) this.report(this.refusal)
  }

  down(error: CacheStoreError): void {
    if (this.refusal === undefined) this.lostAt = performance.now()
    this.refusal = error
    this.up.closeUnsafe()
  }

  /** An error of the connection's own, as no route, no such host, wrong password. */
  refuse(error: CacheStoreError): void {
    if (this.refusal !== undefined && !this.breaker.open) this.refusal = error
    if (error.reason === "Auth") this.report(error)
  }

  report(error: CacheStoreError): void {
    const news = this.reported === undefined || (error.reason === "Auth" && this.reported.reason !== "Auth")
    if (!news || this.closing) return
    this.reported = error
    this.surroundings.onChange({ _tag: "Down", error })
  }

  timedOut(): void {
    if (!this.breaker.timedOut()) return
    const error = new CacheStoreError({
      reason: "Open",
      message: "timed out too often; waiting for it to answer a PING"
    })
    this.down(error)
    // Such a loss is nobody's to wait for.
    this.lostAt = -Infinity
    this.report(error)
    // A half-open connection never recovers, a new one may.
    this.client.stream.destroy()
  }

  probe(): void {
    if (this.probing !== undefined || this.closing) return
    const again = (error: CacheStoreError): void => {
      // After a lost connection the next one probes.
      if (error.reason === "Closed" || this.closing) return
      const probe = (): void => {
        this.probing = undefined
        if (this.connected) this.probe()
      }
      this.probing = setTimeout(probe, this.breaker.nextProbe(this.surroundings.random()))
    }
    this.send([new Command("ping")], this.surroundings.timeout, () => this.isUp(), again)
  }
}

const replyTo = (command: Command): unknown => (command instanceof EncodedCommand ? command.take() : undefined)

const promiseOf = (command: Command): Promise<unknown> => command.promise

/** An error that the server replies is its answer; any other is the connection's. */
const settledOf = (command: Command): Promise<Error | undefined> =>
  command.promise.then(noError, (error: unknown) => {
    if (error instanceof Error && error.name === "ReplyError") return error
    throw error
  })

const noError = (): undefined => undefined

const closed = (message: string): CacheStoreError => new CacheStoreError({ reason: "Closed", message })
