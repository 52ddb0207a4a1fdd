/**
 * Runs a function the way Lambda does: AWS's own runtime client (`aws-lambda-ric`) in a process of its own, against a
 * Runtime API of ours.
 *
 * **Guarantees.** One invocation at a time. A function that overruns its timeout is killed, as on AWS; the next
 * invocation gets a new environment. Nothing is retried here.
 *
 * **Gotchas.** `aws-lambda-ric` must be installed; its compiled client is not needed. Version 4 refuses handlers of three
 * arguments (callbacks).
 *
 * @since 0.1.0
 */
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { randomUUID } from "node:crypto"
import { once } from "node:events"
import { setImmediate } from "node:timers/promises"
import { fileURLToPath } from "node:url"

import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type * as LambdaEvent from "../LambdaEvent.ts"
import * as RuntimeApi from "./lambdaRuntime/RuntimeApi.ts"

/**
 * The function did not start, or an invocation of it failed.
 *
 * @category errors
 * @since 0.1.0
 */
export class LambdaRuntimeError extends Schema.TaggedError<LambdaRuntimeError>()("LambdaRuntimeError", {
  reason: Schema.Literals(["Missing", "Init", "Function", "Timeout", "Exit"]),
  /** As the runtime named it: the class of the error, `Runtime.ImportModuleError`, `Sandbox.Timedout`. */
  errorType: Schema.String,
  message: Schema.String,
  trace: Schema.Array(Schema.String),
  retryable: Schema.Boolean
}) {}

/**
 * What to run.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Folder of the function's code. */
  readonly taskRoot: string
  /** `file.export`, such as `index.handler`. */
  readonly handler: string
  /** The function's variables; nothing of this process but `PATH` is passed on. */
  readonly env?: { readonly [name: string]: string } | undefined
  /** Default `"function"`. */
  readonly functionName?: string | undefined
  /** Default 30 seconds. */
  readonly timeout?: Duration.Input | undefined
  /** In MB; only said to the function. Default 512. */
  readonly memory?: number | undefined
  /** What the function prints. Default: dropped. */
  readonly onOutput?: ((text: string) => void) | undefined
}

/**
 * A function that can be invoked.
 *
 * @category models
 * @since 0.1.0
 */
export interface LambdaRuntime {
  /** Rejects with a {@link LambdaRuntimeError}. By then `onOutput` has what the function printed before its answer. */
  readonly invoke: (event: unknown) => Promise<unknown>
  /** The same as a handler: the function makes its own context. */
  readonly handler: LambdaEvent.Handler
  /** Kills the environment; the scope does so too. */
  readonly stop: () => Promise<void>
}

/**
 * Starts an environment and waits until the function is loaded.
 *
 * @category constructors
 * @since 0.1.0
 */
export const start = Effect.fnUntraced(function* (options: Options) {
  const clock = yield* Clock.Clock
  const client = yield* Effect.try({
    try: () => fileURLToPath(import.meta.resolve("aws-lambda-ric")),
    catch: () => failure("Missing", { errorType: "Missing", errorMessage: "install aws-lambda-ric", trace: [] })
  })
  const api = RuntimeApi.make()
  const port = yield* Effect.acquireRelease(
    Effect.promise(() => listen(api)),
    () => Effect.promise(() => close(api))
  )
  const environment = yield* Effect.acquireRelease(
    Effect.sync(() => makeEnvironment(api, command(options, client, port), options)),
    (made) => Effect.promise(made.stop)
  )
  const loaded = yield* Effect.promise(environment.start)
  if (loaded !== undefined) return yield* failure("Init", loaded)
  return runtime(options, api, environment, clock)
})

const listen = async (api: RuntimeApi.RuntimeApi): Promise<number> => {
  api.server.listen(0, "127.0.0.1")
  await once(api.server, "listening")
  const address = api.server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}

const close = async (api: RuntimeApi.RuntimeApi): Promise<void> => {
  const closed = once(api.server, "close")
  api.server.close()
  api.server.closeAllConnections()
  await closed
}

interface Command {
  readonly file: string
  readonly args: ReadonlyArray<string>
  readonly env: { readonly [name: string]: string }
}

const preload = new URL(`./lambdaRuntime/preload.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url)

// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
const command = (options: Options, client: string, port: number): Command => ({
  file: process.execPath,
  args: ["--import", preload.href, client, options.handler],
  env: {
    PATH: process.env["PATH"] ?? "",
    AWS_REGION: "us-east-1",
    ...options.env,
    AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
    LAMBDA_TASK_ROOT: options.taskRoot,
    _HANDLER: options.handler,
    AWS_LAMBDA_FUNCTION_NAME: options.functionName ?? "function",
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(options.memory ?? 512),
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${options.functionName ?? "function"}`,
    AWS_LAMBDA_LOG_STREAM_NAME: "local"
  }
})

interface Environment {
  /** Starts one unless one runs; the error of its start. */
  readonly start: () => Promise<RuntimeApi.ErrorDocument | undefined>
  readonly stop: () => Promise<void>
  /** What it printed before its last answer has been heard. */
  readonly heard: () => Promise<void>
}

const makeEnvironment = (api: RuntimeApi.RuntimeApi, { args, env, file }: Command, options: Options): Environment => {
  let child: ChildProcess | undefined
  let chunks = 0
  return {
    // It lies in the pipes when the answer comes, though that may be read first: until a turn of the event loop brought none.
    heard: async () => {
      for (let before = -1; before < chunks;) {
        before = chunks
        await setImmediate()
      }
    },
    start: async () => {
      if (child !== undefined) return undefined
      const spawned = spawn(file, args, { cwd: options.taskRoot, env, stdio: ["ignore", "pipe", "pipe"] })
      child = spawned
      for (const stream of [spawned.stdout, spawned.stderr]) {
        stream.on("data", (chunk: Buffer) => {
          chunks += 1
          options.onOutput?.(chunk.toString("utf8"))
        })
      }
      const gone = (errorMessage: string) => {
        if (child === spawned) child = undefined
        api.gone({ errorType: "Runtime.ExitError", errorMessage, trace: [] })
      }
      spawned.once("exit", (code, signal) => gone(`exited with ${code ?? signal ?? "?"}`))
      // A folder that isn't there: the process never begins, and never exits.
      spawned.once("error", (cause) => gone(cause.message))
      return api.ready()
    },
    stop: async () => {
      const running = child
      if (running === undefined) return
      const exited = once(running, "exit")
      running.kill("SIGKILL")
      await exited
    }
  }
}

const runtime = (
  options: Options,
  api: RuntimeApi.RuntimeApi,
  environment: Environment,
  clock: Clock.Clock
): LambdaRuntime => {
  const timeout = Duration.toMillis(options.timeout ?? "30 seconds")
  const once = async (event: unknown): Promise<unknown> => {
    const unloaded = await environment.start()
    if (unloaded !== undefined) throw failure("Init", unloaded)
    let overran = false
    const timer = setTimeout(() => {
      overran = true
      void environment.stop()
    }, timeout)
    const outcome = await api.invoke({
      requestId: randomUUID(),
      body: JSON.stringify(event),
      deadline: clock.currentTimeMillisUnsafe() + timeout,
      functionArn: `arn:aws:lambda:us-east-1:000000000000:function:${options.functionName ?? "function"}`
    })
    clearTimeout(timer)
    await environment.heard()
    if (outcome._tag === "Answered") return outcome.body === "" ? null : JSON.parse(outcome.body)
    throw overran ? timedOut(timeout) : failure(reasonOf(outcome.error), outcome.error)
  }
  // Lambda gives an environment one invocation at a time; callers queue up here.
  let last: Promise<unknown> = Promise.resolve()
  const invoke = (event: unknown): Promise<unknown> => {
    const mine = last.then(
      () => once(event),
      () => once(event)
    )
    last = mine
    return mine
  }
  return { invoke, handler: (event) => invoke(event), stop: environment.stop }
}

const reasonOf = (error: RuntimeApi.ErrorDocument): LambdaRuntimeError["reason"] =>
  error.errorType === "Runtime.ExitError" ? "Exit" : "Function"

const timedOut = (timeout: number): LambdaRuntimeError =>
  failure("Timeout", { errorType: "Sandbox.Timedout", errorMessage: `Task timed out after ${timeout} ms`, trace: [] })

const failure = (reason: LambdaRuntimeError["reason"], error: RuntimeApi.ErrorDocument): LambdaRuntimeError =>
  new LambdaRuntimeError({
    reason,
    errorType: error.errorType,
    message: error.errorMessage,
    trace: error.trace,
    retryable: reason === "Timeout" || reason === "Exit"
  })
