/**
 * Gathers what is asked for in one turn of the event loop, so that it is asked together: requests that came in by one poll
 * of the sockets share one command. Who is alone waits until the end of the turn, some microseconds.
 */
export class Gathering<A> {
  readonly atOnce: boolean
  readonly flush: (gathered: ReadonlyArray<A>) => void
  gathered: Array<A> = []

  /** `atOnce`: asking costs nothing, so nothing is gathered. */
  constructor(atOnce: boolean, flush: (gathered: ReadonlyArray<A>) => void) {
    this.atOnce = atOnce
    this.flush = flush
  }

  add(one: A): void {
    if (this.atOnce) return this.flush([one])
    if (this.gathered.push(one) === 1) setImmediate(() => this.end())
  }

  end(): void {
    const { gathered } = this
    this.gathered = []
    this.flush(gathered)
  }
}
