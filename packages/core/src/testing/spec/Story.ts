import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"

import type { Codec } from "../../Codec.ts"
import type { Redriven } from "../../DeadLetters.ts"
import type { Delivery } from "../../Delivery.ts"
import type { Envelope } from "../../Envelope.ts"
import type { Journal, JournalError } from "../../Journal.ts"
import type { BatchResult } from "../../Outcome.ts"
import type { Worker } from "../../Worker.ts"

/** One sentence of a scenario. */
export interface Step<out R = never> {
  /** As it stands in a failed scenario, from its first word: `given …`, `when …`, `then …`. */
  readonly says: (story: Story) => string
  /** Does it, or looks; a text says what is wrong. */
  readonly run: (story: Story) => Effect.Effect<string | undefined, JournalError, R | Journal>
}

/** A record on its way to the worker, and what a person calls it. */
export interface Arrived {
  readonly name: string
  readonly delivery: Delivery
}

/** What the last `when` did. */
export interface Happened {
  readonly batch: ReadonlyArray<Arrived>
  /** `undefined` where the program crashed, and for what is no delivery. */
  readonly result?: BatchResult | undefined
  readonly redriven?: Redriven | undefined
}

/** A scenario as it goes on. */
export interface Story {
  /** The code that is deployed. Its services are in the scenario's type. */
  worker: Worker<never>
  readonly codec: Codec
  /** What the publisher accepted. */
  readonly published: Array<Envelope>
  /** Real time after which a batch is given up. */
  readonly patience: Duration.Input
  /** Position of the journal before the first step. */
  readonly start: number
  /** Position of the journal before the last `when`. */
  before: number
  /** Records that arrived so far: each has a position of its own. */
  arrived: number
  last: Happened | undefined
}
