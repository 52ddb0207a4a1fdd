import type { Source, Stats } from "../../Cache.ts"
import { CacheStoreError } from "../../CacheStore.ts"

/** What a cache did, in plain numbers. */
export class Tally {
  readonly hits: { [source in Exclude<Source, "origin">]: number } = {
    memory: 0,
    redis: 0,
    stale: 0,
    fallback: 0,
    negative: 0
  }
  readonly storeErrors = { Timeout: 0, Closed: 0, Open: 0, Server: 0, Auth: 0 }
  misses = 0
  joined = 0
  loads = 0
  loadErrors = 0
  refreshes = 0
  storeLate = 0
  decodeErrors = 0
  writesLost = 0
  recovered = 0
  untold = 0
  told = 0

  /** A defect of a store is no reason to fail a read either; it counts as an error of the server. */
  storeFailed(error: unknown): void {
    this.storeErrors[error instanceof CacheStoreError ? error.reason : "Server"]++
  }

  toStats(memory: Stats["memory"]): Stats {
    const { hits, storeErrors, ...counts } = this
    return { ...counts, hits: { ...hits }, storeErrors: { ...storeErrors }, memory }
  }
}
