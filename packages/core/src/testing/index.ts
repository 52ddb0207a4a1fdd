/**
 * @since 0.1.0
 */
export * as CacheBackplaneSuite from "./CacheBackplaneSuite.ts"
export * as CacheStoreSuite from "./CacheStoreSuite.ts"
export * as CacheSuite from "./CacheSuite.ts"
export * as Faults from "./Faults.ts"
export * as JournalSuite from "./JournalSuite.ts"
export * as Spec from "./Spec.ts"
export * as TransportSuite from "./TransportSuite.ts"
