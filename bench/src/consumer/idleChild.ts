/** One consumer of an empty stream, with nothing to do; says what it costs to wait. */
import { setTimeout as sleep } from "node:timers/promises"

import { measure } from "../measure.ts"
import * as Subprocess from "../Subprocess.ts"
import { programs } from "./idlePrograms.ts"
import type { ProgramName } from "./idlePrograms.ts"
import type { Address } from "./stream.ts"

export interface Task {
  readonly program: ProgramName
  readonly address: Address
  readonly settleMilliseconds: number
  readonly milliseconds: number
}

/** What waiting took. */
export interface Idle {
  /** Share of a core. */
  readonly share: number
  readonly waited: number
}

Subprocess.answer<Task>(async ({ address, milliseconds, program, settleMilliseconds }): Promise<Idle> => {
  // Neither ends by itself: only a failure wins the race.
  const ended = programs[program](address).then(() => Promise.reject(new Error(`${program} ended`)))
  const watched = async () => {
    await sleep(settleMilliseconds)
    const { cpu, wall, waited } = await measure(() => sleep(milliseconds))
    return { share: cpu / 1000 / wall, waited: waited / wall }
  }
  return Promise.race([ended, watched()])
})
