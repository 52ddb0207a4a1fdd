/**
 * The Lambda Runtime API: hands invocations to one environment at a time and takes its answers.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 * @since 0.1.0
 */
import { createServer } from "node:http"
import type { IncomingMessage, Server, ServerResponse } from "node:http"

/**
 * The error document of a runtime.
 *
 * @category models
 * @since 0.1.0
 */
export interface ErrorDocument {
  readonly errorType: string
  readonly errorMessage: string
  readonly trace: ReadonlyArray<string>
}

/**
 * What an environment said of an invocation.
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome =
  | { readonly _tag: "Answered"; readonly body: string }
  | { readonly _tag: "Failed"; readonly error: ErrorDocument }

/**
 * What an environment is asked.
 *
 * @category models
 * @since 0.1.0
 */
export interface Invocation {
  readonly requestId: string
  readonly body: string
  readonly deadline: number
  readonly functionArn: string
}

/**
 * The API, seen from Lambda's side.
 *
 * @category models
 * @since 0.1.0
 */
export interface RuntimeApi {
  readonly server: Server
  /** Gives the invocation to the environment as soon as it asks; resolves with what it said. */
  readonly invoke: (invocation: Invocation) => Promise<Outcome>
  /** Resolves when the environment asks for its first invocation, or says that it can't start. */
  readonly ready: () => Promise<ErrorDocument | undefined>
  /** The environment is gone: what it was working on failed so. */
  readonly gone: (error: ErrorDocument) => void
}

/**
 * An API without an environment.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (): RuntimeApi => {
  let asking: ServerResponse | undefined
  let given: Invocation | undefined
  let started: ((error: ErrorDocument | undefined) => void) | undefined
  let answered: ((outcome: Outcome) => void) | undefined

  const match = () => {
    if (asking === undefined || given === undefined) return
    asking.writeHead(200, headers(given))
    asking.end(given.body)
    asking = undefined
    given = undefined
  }
  const start = (error: ErrorDocument | undefined) => {
    started?.(error)
    started = undefined
  }
  const answer = (outcome: Outcome) => {
    answered?.(outcome)
    answered = undefined
  }
  const routes: ReadonlyArray<readonly [RegExp, (body: string) => void]> = [
    [/\/init\/error$/, (body) => start(errorDocument(body))],
    [/\/invocation\/[^/]+\/response$/, (body) => answer({ _tag: "Answered", body })],
    [/\/invocation\/[^/]+\/error$/, (body) => answer({ _tag: "Failed", error: errorDocument(body) })]
  ]
  const post = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await text(request)
    routes.find(([path]) => path.test(request.url ?? ""))?.[1](body)
    response.writeHead(202, { "content-type": "application/json" })
    response.end('{"status":"OK"}')
  }
  const server = createServer((request, response) => {
    if (request.url !== "/2018-06-01/runtime/invocation/next") return void post(request, response)
    asking = response
    start(undefined)
    return match()
  })
  return {
    server,
    invoke: (invocation) =>
      new Promise((resolve) => {
        answered = resolve
        given = invocation
        match()
      }),
    ready: () => new Promise((resolve) => void (started = resolve)),
    gone: (error) => {
      asking = undefined
      given = undefined
      start(error)
      answer({ _tag: "Failed", error })
    }
  }
}

const headers = (invocation: Invocation) => ({
  "content-type": "application/json",
  "lambda-runtime-aws-request-id": invocation.requestId,
  "lambda-runtime-deadline-ms": String(invocation.deadline),
  "lambda-runtime-invoked-function-arn": invocation.functionArn,
  "lambda-runtime-trace-id": "Root=1-00000000-000000000000000000000000;Sampled=0"
})

const text = async (request: IncomingMessage): Promise<string> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString("utf8")
}

const errorDocument = (body: string): ErrorDocument => {
  try {
    return { errorType: "Unknown", errorMessage: "", trace: [], ...JSON.parse(body) }
  } catch {
    return { errorType: "Unknown", errorMessage: body, trace: [] }
  }
}
