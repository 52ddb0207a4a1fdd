/** What AWS's event source mapping would make of somebody else's function, without AWS and without waiting. */
import * as HandlerTest from "@leat/transport-kinesis/testing/HandlerTest"

import { handler, mended } from "./theirHandler.ts"

const records = [`{"amount":1}`, `{"amount":2}`, `{"amount":-3}`, `{"amount":4}`, "{ broken"]
const mapping = { batchSize: 10, maximumRetryAttempts: 2, bisectBatchOnFunctionError: true }

// The whole test: a function, the records, the mapping.
const before = await HandlerTest.runPromise(handler, records, mapping)
const after = await HandlerTest.runPromise(mended, records, mapping)

const show = (title: string, { calls, givenUp, stats }: HandlerTest.Report) => {
  console.log(title)
  console.log(`  called with ${calls.map(({ data }) => data.length).join(", ")} records`)
  console.log(`  done ${stats.settled}, given up: ${givenUp.join(" ")}`)
}

show("as it is, a good record is given up with the bad ones", before)
show("mended, it is not", after)
