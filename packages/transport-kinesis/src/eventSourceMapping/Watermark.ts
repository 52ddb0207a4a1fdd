/**
 * Up to where everything of a shard is done while several lanes work on it: the end of the longest prefix without a gap.
 *
 * @since 0.1.0
 */
import type * as KinesisClient from "../KinesisClient.ts"

/**
 * The records of one shard that were read and not passed yet.
 *
 * @category models
 * @since 0.1.0
 */
export class Watermark {
  /** In the shard's order; what lies before `#head` was passed. */
  #records: Array<KinesisClient.Record> = []
  #head = 0
  readonly #done = new Set<KinesisClient.Record>()
  #offered = 0
  #bytes = 0
  #position: string | undefined

  /** Takes what was read, in order. */
  offer(records: ReadonlyArray<KinesisClient.Record>): void {
    for (const record of records) {
      this.#records.push(record)
      this.#bytes += record.data.length
    }
    this.#offered += records.length
  }

  /** These are done, dropped or given up. */
  settle(records: ReadonlyArray<KinesisClient.Record>): void {
    for (const record of records) {
      this.#done.add(record)
      this.#bytes -= record.data.length
    }
    let head = this.#records[this.#head]
    while (head !== undefined && this.#done.delete(head)) {
      this.#position = head.sequenceNumber
      this.#head++
      head = this.#records[this.#head]
    }
    this.#compact()
  }

  /** The last record of the prefix. */
  get position(): string | undefined {
    return this.#position
  }

  /** How many records were ever offered, and how many of them lie in the prefix. */
  get offered(): number {
    return this.#offered
  }

  get passed(): number {
    return this.#offered - this.open
  }

  /** From the first record that is not done to the last that was read. */
  get open(): number {
    return this.#records.length - this.#head
  }

  /** Of the records that are not done. */
  get bytes(): number {
    return this.#bytes
  }

  #compact(): void {
    if (this.#head < 1024 || this.#head < this.#records.length / 2) return
    this.#records = this.#records.slice(this.#head)
    this.#head = 0
  }
}
