/**
 * The node:http server under a service: time limits, broken requests, and the end of it.
 *
 * @since 0.1.0
 */
import * as Http from "node:http"
import type * as Net from "node:net"

import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ProblemDetails from "effect/http/ProblemDetails"

import * as Problem from "../Problem.ts"
import type * as Guard from "./Guard.ts"

/**
 * Time limits of a connection.
 *
 * @category models
 * @since 0.1.0
 */
export interface Timeouts {
  readonly headers: Duration.Duration
  readonly request: Duration.Duration
  readonly keepAlive: Duration.Duration
  readonly drain: Duration.Duration
  readonly drainDelay: Duration.Duration
}

/**
 * A server and its open connections.
 *
 * @category models
 * @since 0.1.0
 */
export interface Listener {
  readonly server: Http.Server
  readonly connections: ReadonlySet<Net.Socket>
}

/**
 * A server that cuts slow senders off and answers what is no HTTP with problem details.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (timeouts: Timeouts): Listener => {
  const headersTimeout = Duration.toMillis(timeouts.headers)
  const server = Http.createServer({
    headersTimeout,
    requestTimeout: Math.max(headersTimeout, Duration.toMillis(timeouts.request)),
    keepAliveTimeout: Duration.toMillis(timeouts.keepAlive),
    // Node's own answer has no body; the guard refuses instead.
    requireHostHeader: false,
    // Node looks for slow senders this often; 30 s, its default, would stretch a limit of 10 s to 40.
    connectionsCheckingInterval: Math.min(5000, Math.max(50, headersTimeout / 2))
  })
  server.on("clientError", refuse)
  server.on("checkExpectation", (_request, response) => {
    response.writeHead(417, { "content-type": ProblemDetails.contentType }).end(JSON.stringify(Problem.make(417)))
  })
  const connections = new Set<Net.Socket>()
  server.on("connection", (socket: Net.Socket) => {
    connections.add(socket)
    socket.once("close", () => connections.delete(socket))
  })
  return { server, connections }
}

const statuses: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408
}

const refuse = (error: Error & { readonly code?: string }, socket: Net.Socket | NodeJS.ReadWriteStream): void => {
  if (error.code === "ECONNRESET" || !socket.writable) return destroy(socket)
  const status = statuses[error.code ?? ""] ?? 400
  const body = JSON.stringify(Problem.make(status))
  socket.end(
    `HTTP/1.1 ${status} ${Problem.titles[status] ?? ""}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  )
  // Node no longer watches a connection that it could not parse: who never hangs up would hold it, and the end, for ever.
  const timer = setTimeout(() => destroy(socket), linger)
  socket.once("close", () => clearTimeout(timer))
}

/** Time to read the answer, in milliseconds: a socket that is cut while data comes in may lose what was written. */
const linger = 500

const destroy = (socket: Net.Socket | NodeJS.ReadWriteStream): void => {
  if ("destroy" in socket) socket.destroy()
}

/**
 * Ends a server: it says that it drains, keeps listening for `drainDelay` so that load balancers notice, then takes no new
 * connection, waits for requests in flight, and cuts what is left after `drain`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const drain = (listener: Listener, state: Guard.State, timeouts: Timeouts): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { server } = listener
    state.draining = true
    if (Duration.toMillis(timeouts.drainDelay) > 0) yield* Effect.sleep(timeouts.drainDelay)
    if (!server.listening) return
    // A finalizer runs uninterruptibly: without this the timeout would wait for what it should cut.
    yield* Effect.timeoutOrElse(Effect.interruptible(closed(listener)), {
      duration: timeouts.drain,
      orElse: () => cut(server, state)
    })
  })

const closed = ({ connections, server }: Listener): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    server.close(() => resume(Effect.void))
    // Node closes what idles after a request. Browsers and load balancers also open connections ahead of any.
    for (const socket of connections) if (socket.bytesRead === 0) socket.destroy()
  })

const cut = (server: Http.Server, state: Guard.State): Effect.Effect<void> =>
  Effect.andThen(
    Effect.logWarning(`drain timed out, ${state.inFlight} requests cut`),
    // Node stops its own check for slow senders at close(): without this, one half-sent request holds the process.
    Effect.sync(() => server.closeAllConnections())
  )
