import { createServer } from "node:http"
import type { ServerResponse } from "node:http"

import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** The endpoint of a service over HTTP/1.1 that answers as it is told. */
export const httpService = (answer: (response: ServerResponse) => void): Effect.Effect<string, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<{ readonly endpoint: string; readonly stop: () => void }>((resume) => {
        const server = createServer((_, response) => answer(response))
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          const port = typeof address === "object" && address !== null ? address.port : 0
          const stop = () => {
            server.close()
            server.closeAllConnections()
          }
          resume(Effect.succeed({ endpoint: `http://127.0.0.1:${port}`, stop }))
        })
      }),
      ({ stop }) => Effect.sync(stop)
    ),
    ({ endpoint }) => endpoint
  )
