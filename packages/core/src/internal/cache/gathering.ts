/**
 * Gathers what is asked for in one turn of the event loop while something is under way, so that it is asked together:
 * requests that came in by one poll of the sockets share one command. Who is alone waits for nobody.
 */
export class Gathering<A> {
  readonly flush: (gathered: ReadonlyArray<A>) => void
  gathered: Array<A> = []
  underWay = 0

  constructor(flush: (gathered: ReadonlyArray<A>) => void) {
    this.flush = flush
  }

  add(one: A): void {
    if (this.underWay === 0 && this.gathered.length === 0) return this.flush([one])
    if (this.gathered.push(one) === 1) setImmediate(() => this.end())
  }

  end(): void {
    const { gathered } = this
    this.gathered = []
    this.flush(gathered)
  }
}
