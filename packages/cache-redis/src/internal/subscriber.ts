import { Redis } from "ioredis"

import type { ClientOptions } from "./clientOptions.ts"
import type { Endpoint } from "./cluster/slots.ts"
import type { IamTokens } from "./iam.ts"

/** What a {@link Subscriber} hears. `onGap`: it listens (again), and may have missed something before. */
export interface Listener {
  readonly onMessage: (text: string) => void
  readonly onGap: () => void
}

/** Milliseconds between two PINGs: a silent channel and a connection that is open on our side alone look the same. */
const rhythm = 10_000

/** What a {@link Subscriber} needs. */
export interface Surroundings {
  readonly redis: ClientOptions
  /** Where it may listen: in a cluster any node hears everything. */
  readonly nodes: ReadonlyArray<Endpoint>
  readonly channel: string
  readonly tokens: IamTokens | undefined
  readonly listener: Listener
}

/** A connection that listens to one channel, for as long as it is open: when it is lost it comes back by itself. */
export class Subscriber {
  readonly client: Redis
  readonly surroundings: Surroundings
  readonly pulse: ReturnType<typeof setInterval>
  attempts = 0
  closed = false

  constructor(surroundings: Surroundings) {
    this.surroundings = surroundings
    const { channel, listener, redis, tokens } = surroundings
    // RESP2, in which a connection that listens does nothing else.
    this.client = new Redis({ ...redis, protocol: 2, autoResubscribe: false })
    this.client.on("error", () => {})
    this.client.on("close", () => this.turn())
    this.client.on("message", (_channel: string, text: string) => listener.onMessage(text))
    this.client.on("ready", () => {
      const again = (): void => void this.client.stream.destroy()
      this.client.subscribe(channel).then(listener.onGap, again)
    })
    if (tokens !== undefined) {
      Object.defineProperty(this.client.options, "password", { get: () => tokens.token, configurable: true })
    }
    // An answer that doesn't come ends the connection: `socketTimeout`.
    this.pulse = setInterval(() => void this.client.ping().catch(() => {}), rhythm).unref()
    this.begin()
  }

  begin(): void {
    const { tokens } = this.surroundings
    const connect = (): void => {
      if (!this.closed) this.client.connect().catch(() => {})
    }
    const again = (): void => {
      if (!this.closed) setTimeout(() => this.begin(), 1_000).unref()
    }
    if (tokens === undefined) connect()
    else tokens.renewed().then(connect, again)
  }

  /** A node that is gone for good must not be the only one that is tried. */
  turn(): void {
    const { nodes, tokens } = this.surroundings
    tokens?.freshen(() => {})
    const next = nodes[++this.attempts % nodes.length]
    if (nodes.length < 2 || next === undefined) return
    this.client.options.host = next.host
    this.client.options.port = next.port
  }

  close(): void {
    this.closed = true
    clearInterval(this.pulse)
    this.client.disconnect()
    const stream: Redis["stream"] | undefined = this.client.stream
    stream?.destroy()
  }
}
