import { fileURLToPath } from "node:url"

import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

import * as LambdaEvent from "../src/LambdaEvent.ts"
import * as LambdaRuntime from "../src/testing/LambdaRuntime.ts"

const taskRoot = fileURLToPath(new URL("./fixtures/function", import.meta.url))
const options = { taskRoot, handler: "index.handler", env: { GREETING: "hello" }, functionName: "greeter" }

const failed = (runtime: LambdaRuntime.LambdaRuntime, event: unknown) =>
  Effect.promise(() =>
    runtime.invoke(event).then(
      () => undefined,
      (error: unknown) => (error instanceof LambdaRuntime.LambdaRuntimeError ? error : undefined)
    )
  )

describe("a function under AWS's own runtime client", () => {
  it.live("gets the event, a context of its own and its variables, and its answer comes back", () =>
    Effect.gen(function* () {
      const runtime = yield* LambdaRuntime.start(options)
      const event = LambdaEvent.make({ data: "{}" }, { data: "{}" })
      const [first, second] = yield* Effect.promise(() =>
        Promise.all([runtime.handler(event, LambdaEvent.context()), runtime.invoke(event)])
      )
      assert.isObject(first)
      assert.include(first, {
        greeting: "hello",
        records: 2,
        arn: "arn:aws:lambda:us-east-1:000000000000:function:greeter"
      })
      assert.notDeepEqual(first, second)
    })
  )

  it.live("fails with the error that the function threw, and serves the next event", () =>
    Effect.gen(function* () {
      const runtime = yield* LambdaRuntime.start(options)
      const error = yield* failed(runtime, { throw: "no such film" })
      assert.deepStrictEqual(
        [error?.reason, error?.errorType, error?.message],
        ["Function", "TypeError", "no such film"]
      )
      assert.isAbove(error?.trace.length ?? 0, 1)
      assert.include(yield* Effect.promise(() => runtime.invoke({})), { records: null })
    })
  )

  it.live("regression: what it printed before its answer is heard before it", () =>
    Effect.gen(function* () {
      let printed = ""
      const runtime = yield* LambdaRuntime.start({ ...options, onOutput: (text) => (printed += text) })
      for (let call = 0; call < 200; call++) {
        const line = `${call}/${"x".repeat(50_000)}\n`
        printed = ""
        yield* Effect.promise(() => runtime.invoke({ print: line }))
        assert.strictEqual(printed.length, line.length, `call ${call}`)
      }
    })
  )

  it.live("gets a new environment after it exited or overran its time", () =>
    Effect.gen(function* () {
      const runtime = yield* LambdaRuntime.start({ ...options, timeout: "300 millis" })
      assert.strictEqual((yield* failed(runtime, { exit: 3 }))?.reason, "Exit")
      assert.strictEqual((yield* failed(runtime, { hang: true }))?.reason, "Timeout")
      assert.include(yield* Effect.promise(() => runtime.invoke({})), { greeting: "hello" })
    })
  )

  it.live("does not start when its code is not there", () =>
    Effect.gen(function* () {
      const missing = yield* Effect.exit(LambdaRuntime.start({ ...options, handler: "nothing.handler" }))
      assert.isTrue(Exit.isFailure(missing))
      const error = yield* Effect.flip(LambdaRuntime.start({ ...options, taskRoot: `${taskRoot}/nowhere` }))
      assert.strictEqual(error.reason, "Init")
    })
  )
})
