import { createServer } from "node:http"

import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** A service that never comes to the end of its answer, and is never silent for long. */
export const trickling: Effect.Effect<string, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.callback<{ readonly endpoint: string; readonly stop: () => void }>((resume) => {
      const server = createServer((_, response) => {
        const letters = setInterval(() => response.write(" "), 20)
        response.on("close", () => clearInterval(letters))
      })
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
