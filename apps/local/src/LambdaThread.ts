/**
 * The Lambda bundle in a thread of its own: its own event loop, its own environment, its own standard output, as an
 * execution environment of AWS has them.
 */
import { createInterface } from "node:readline"
import { Worker } from "node:worker_threads"

import type * as LambdaEvent from "@leat/transport-kinesis/LambdaEvent"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** One call, as it crosses to the thread: functions can't. */
export interface Invocation {
  readonly id: number
  readonly event: LambdaEvent.LambdaEvent
  readonly context: Omit<LambdaEvent.LambdaContext, "getRemainingTimeInMillis">
  readonly remaining: number
}

/** What comes back. */
export type Answer =
  | { readonly id: number; readonly response: unknown }
  | { readonly id: number; readonly error: { readonly name: string; readonly message: string } }

export interface Options {
  /** The file that exports `handler`. */
  readonly bundle: URL
  readonly environment: { readonly [name: string]: string | undefined }
  /** Gets what the function writes, line by line. */
  readonly onLine: (line: string) => void
}

interface Waiting {
  readonly resolve: (response: unknown) => void
  readonly reject: (error: Error) => void
}

/** Starts the thread; it ends with the scope. A thread that dies fails the calls in flight and those to come. */
export const start = (options: Options): Effect.Effect<LambdaEvent.Handler, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => thread(options)),
      ({ worker }) => Effect.promise(() => worker.terminate())
    ),
    ({ call }) => call
  )

const thread = ({ bundle, environment, onLine }: Options) => {
  const worker = new Worker(new URL("./lambdaThread.main.ts", import.meta.url), {
    name: "lambda",
    env: { ...environment },
    workerData: { bundle: bundle.href },
    stdout: true,
    stderr: true
  })
  for (const output of [worker.stdout, worker.stderr]) createInterface({ input: output }).on("line", onLine)

  const waiting = new Map<number, Waiting>()
  let dead: Error | undefined
  const die = (error: Error) => {
    dead = error
    for (const { reject } of waiting.values()) reject(error)
    waiting.clear()
  }
  worker.on("error", die)
  worker.on("exit", (code) => die(new Error(`the Lambda's thread ended with code ${code}`)))
  worker.on("message", (answer: Answer) => {
    const waiter = waiting.get(answer.id)
    waiting.delete(answer.id)
    if ("error" in answer) waiter?.reject(Object.assign(new Error(answer.error.message), { name: answer.error.name }))
    else waiter?.resolve(answer.response)
  })

  let calls = 0
  const call: LambdaEvent.Handler = (event, { getRemainingTimeInMillis, ...context }) =>
    new Promise((resolve, reject) => {
      if (dead !== undefined) return reject(dead)
      const invocation: Invocation = { id: (calls += 1), event, context, remaining: getRemainingTimeInMillis() }
      waiting.set(invocation.id, { resolve, reject })
      worker.postMessage(invocation)
    })
  return { worker, call }
}
