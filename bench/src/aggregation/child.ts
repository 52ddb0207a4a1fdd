/** Reads or writes aggregates in a process of its own, so that its optimised code is nobody else's. */
import { collectYoung, measure } from "../measure.ts"
import * as Subprocess from "../Subprocess.ts"
import { passOf } from "./contestants.ts"
import type { Pass, Task } from "./contestants.ts"

export interface Taken {
  /** Microseconds of CPU an aggregate. */
  readonly cpu: number
  /** Bytes of keys and data over the same passes: what the contestants must agree on. */
  readonly seen: number
}

let pass: Pass = () => 0

/** Passes before the clock is looked at again. */
const stride = 16

const slice = async (milliseconds: number): Promise<Taken> => {
  collectYoung()
  let passes = 0
  const { cpu } = await measure(() => {
    const end = performance.now() + milliseconds
    while (performance.now() < end) for (let step = 0; step < stride; step++) pass(passes++)
    return Promise.resolve()
  })
  return { cpu: cpu / passes, seen: pass(0) + pass(1) }
}

Subprocess.answer((command: { readonly open: Task } | { readonly slice: number }) => {
  if ("slice" in command) return slice(command.slice)
  pass = passOf(command.open)
  return Promise.resolve()
})
