/** The last latencies of a call in milliseconds, and their quantiles. */
export class LatencyWindow {
  readonly samples: Float64Array
  /** Sorted now and then: quantiles of hundreds of samples hardly change with one more. */
  sorted = new Float64Array(0)
  count = 0
  stale = true

  constructor(size: number) {
    this.samples = new Float64Array(size)
  }

  add(millis: number): void {
    this.samples[this.count % this.samples.length] = millis
    this.count++
    if (this.count % every === 0) this.stale = true
  }

  /** `undefined` before any sample. */
  quantile(share: number): number | undefined {
    if (this.count === 0) return undefined
    if (this.stale || this.sorted.length === 0) {
      this.sorted = this.samples.slice(0, Math.min(this.count, this.samples.length)).toSorted()
      this.stale = false
    }
    return this.sorted[Math.min(this.sorted.length - 1, Math.floor(share * this.sorted.length))]
  }
}

const every = 16
