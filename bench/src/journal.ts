import type { Backends } from "./Backends.ts"
import type { Gate } from "./Gate.ts"
import * as Calls from "./journal/calls.ts"
import * as Lambda from "./journal/lambda.ts"
import * as Stores from "./journal/Stores.ts"
import * as Throughput from "./journal/throughput.ts"
import type { Options } from "./rounds.ts"

/** What the journal costs a batch: beside the bare rows, and on the Lambda; gives back the gates. */
export const run = async (
  backends: Backends,
  options: Options & {
    /** Whether Leat's Lambda runs too. */
    readonly leat: boolean
  },
  print: (text: string) => void
): Promise<ReadonlyArray<Gate>> => {
  const calls = await Calls.run(print)
  const stores = await Stores.start()
  try {
    const throughput = await Throughput.run(stores, options, print)
    return [calls, ...throughput, ...(options.leat ? [await Lambda.run(backends, stores, options, print)] : [])]
  } finally {
    await stores.close()
  }
}
