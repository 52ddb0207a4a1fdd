/** The program of `LambdaThread`: imports the bundle and answers calls. */
import { parentPort, workerData } from "node:worker_threads"

import type { Handler } from "@leat/transport-kinesis/LambdaEvent"

import type { Answer, Invocation } from "./LambdaThread.ts"

const { handler } = (await import((workerData as { readonly bundle: string }).bundle)) as { readonly handler: Handler }

const answer = async ({ context, event, id, remaining }: Invocation): Promise<Answer> => {
  const killedAt = performance.now() + remaining
  try {
    const getRemainingTimeInMillis = () => Math.max(0, killedAt - performance.now())
    return { id, response: await handler(event, { ...context, getRemainingTimeInMillis }) }
  } catch (error) {
    return {
      id,
      error:
        error instanceof Error
          ? { name: error.name, message: error.message }
          : { name: "Error", message: String(error) }
    }
  }
}

parentPort?.on("message", (invocation: Invocation) => {
  void answer(invocation).then((result) => parentPort?.postMessage(result))
})
