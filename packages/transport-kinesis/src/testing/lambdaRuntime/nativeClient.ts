/**
 * Stands in for `rapid-client.node`, the compiled part of AWS's runtime client: the same four functions over node:http,
 * so that the client runs without a compiler.
 *
 * @since 0.1.0
 */
import { Agent, request } from "node:http"
import type { IncomingHttpHeaders } from "node:http"

interface Answer {
  readonly bodyJson: string
  readonly headers: IncomingHttpHeaders
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 })
const [host, port] = (process.env["AWS_LAMBDA_RUNTIME_API"] ?? "").split(":")

// The client posts without waiting; the next invocation must not overtake the answer to the last.
let posting: Promise<unknown> = Promise.resolve()

const send = (method: string, path: string, headers: { readonly [name: string]: string }, body = ""): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const options = { agent, host, port, method, path: `/2018-06-01/runtime/${path}` }
    const outgoing = request(
      { ...options, headers: { ...headers, "content-length": Buffer.byteLength(body) } },
      (response) => {
        const chunks: Array<Buffer> = []
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.on("end", () =>
          resolve({ bodyJson: Buffer.concat(chunks).toString("utf8"), headers: response.headers })
        )
      }
    )
    outgoing.on("error", reject)
    outgoing.end(body)
  })

const json = { "content-type": "application/json" }

/**
 * Nothing to set up.
 *
 * @category runtime
 * @since 0.1.0
 */
export const initializeClient = (): void => {}

/**
 * Waits for the next invocation.
 *
 * @category runtime
 * @since 0.1.0
 */
export const next = async (): Promise<Answer> => {
  await posting
  return send("GET", "invocation/next", {})
}

/**
 * Answers an invocation.
 *
 * @category runtime
 * @since 0.1.0
 */
export const done = (id: string, body: string): void => {
  posting = send("POST", `invocation/${id}/response`, json, body)
}

/**
 * Fails an invocation.
 *
 * @category runtime
 * @since 0.1.0
 */
export const error = (id: string, body: string): void => {
  const headers = { ...json, "lambda-runtime-function-error-type": "Unhandled" }
  posting = send("POST", `invocation/${id}/error`, headers, body)
}
