import type { MalformedReason } from "../Aggregation.ts"

/** How the parts of the reader give up; `Reader.read` makes a value of it. It never leaves this folder. */
export class Fault extends Error {
  readonly reason: MalformedReason

  constructor(reason: MalformedReason, what: string, at: number) {
    // The message begins behind the magic number.
    super(`${what} (byte ${at + 4})`)
    this.reason = reason
  }
}
