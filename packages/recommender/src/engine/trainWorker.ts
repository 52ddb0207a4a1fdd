/**
 * The thread that `Trainer` starts: trains what it is given, hands the model back, ends. It imports no more than training
 * needs, so that it starts in some milliseconds.
 *
 * @since 0.1.0
 */
import { parentPort, workerData } from "node:worker_threads"

import type { Input, Options } from "./train.ts"
import { train } from "./train.ts"

const work: { readonly input: Input; readonly options: Options } = workerData
const model = train(work.input, work.options)
const buffers = [model.weights, model.popularity, model.trained, model.itemIds].map((part) => part.buffer)
parentPort?.postMessage(
  model,
  buffers.filter((buffer) => buffer instanceof ArrayBuffer)
)
