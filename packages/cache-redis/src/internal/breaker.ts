/**
 * Opens after so many timeouts in a row. Only timeouts count: a lost connection says so itself, and an error reply is an
 * answer.
 */
export class Breaker {
  open = false
  timeouts = 0
  trips = 0

  /** True when this timeout opened it. */
  timedOut(): boolean {
    this.timeouts++
    if (this.open || this.timeouts < limit) return false
    this.open = true
    this.trips++
    return true
  }

  /** A command of the caller's was answered in time. */
  succeeded(): void {
    this.timeouts = 0
    this.trips = 0
  }

  /** The server answered a probe. `trips` stays: only real work shows that it is well. */
  close(): void {
    this.open = false
    this.timeouts = 0
  }

  /** Milliseconds until the next probe: 1 s, doubled each time up to 30 s, the upper half at random. */
  nextProbe(random: number): number {
    const longest = Math.min(30_000, 1_000 * 2 ** Math.min(this.trips++, 16))
    return (longest * (1 + random)) / 2
  }
}

/** Three: one is chance, two may be one pause of the server's. */
const limit = 3
