import * as Flat from "./consumer/flat.ts"
import * as Idle from "./consumer/idle.ts"
import * as Throughput from "./consumer/throughput.ts"
import type { Gate } from "./Gate.ts"

/** The Kinesis consumer: beside a bare loop of the SDK, over a million records, and with nothing to do; gives the gates. */
export const run = async (
  { rounds }: { readonly rounds: number },
  print: (text: string) => void
): Promise<ReadonlyArray<Gate>> => {
  const throughput = await Throughput.run(rounds, print)
  const flat = await Flat.run(print)
  await Idle.run(print)
  return [...throughput, ...flat]
}
