/**
 * One call of `publish`: its answers as they come in.
 *
 * @since 0.1.0
 */
import type { PublishError } from "@leat/core/Publisher"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

import * as Verdict from "./Verdict.ts"

/**
 * What became of an envelope.
 *
 * @category models
 * @since 0.1.0
 */
export type Answer = Exit.Exit<void, PublishError>

/**
 * A call and its answers so far.
 *
 * @category models
 * @since 0.1.0
 */
export class Call {
  /** Epoch milliseconds at which `publish` answers, whatever came. */
  readonly until: number
  /** Epoch milliseconds from which nothing of it is sent. */
  readonly expires: number
  /** Tells who waits that every envelope has its answer: see {@link Call.finish}. */
  readonly done: Deferred.Deferred<void> = Deferred.makeUnsafe()
  /** Its turn to be admitted, or room, may have come. */
  gate: Deferred.Deferred<void> | undefined = undefined
  /** The first envelope that was not admitted. */
  next = 0
  readonly #answers: Array<Answer | undefined>
  readonly #failedKeys = new Set<string>()
  #left: number

  constructor(envelopes: number, until: number, expires: number) {
    this.#answers = Array.from({ length: envelopes }, () => undefined)
    this.#left = envelopes
    this.until = until
    this.expires = Math.min(until, expires)
  }

  get isDone(): boolean {
    return this.#left === 0
  }

  get answers(): ReadonlyArray<Answer> {
    return this.#answers.map((answer) => answer ?? Exit.die("an envelope was left without an answer"))
  }

  isAnswered(index: number): boolean {
    return this.#answers[index] !== undefined
  }

  /** Whether an envelope of the key failed, so that later ones are behind it. */
  isBehind(partitionKey: string): boolean {
    return this.#failedKeys.has(partitionKey)
  }

  accept(index: number): void {
    this.#answer(index, Exit.void)
  }

  /** Fails an envelope, and lets what follows on `partitionKey` be behind it; `undefined`: nothing is. */
  fail(index: number, cause: Answer, partitionKey: string | undefined): void {
    this.#answer(index, cause)
    if (partitionKey !== undefined) this.#failedKeys.add(partitionKey)
  }

  /**
   * Lets the caller go on where all is answered. He does so at once, inside of this call: so not before those who keep
   * the books have put them in order.
   */
  finish(): void {
    if (this.isDone) Deferred.doneUnsafe(this.done, Effect.void)
  }

  /** Fails an envelope that waits behind another. */
  behind(index: number): void {
    this.#answer(index, behind)
  }

  #answer(index: number, answer: Answer): void {
    if (this.#answers[index] !== undefined) return
    this.#answers[index] = answer
    this.#left--
  }
}

const behind: Answer = Exit.fail(Verdict.behind)
