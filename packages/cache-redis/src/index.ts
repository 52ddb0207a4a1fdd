/**
 * @since 0.1.0
 */
export * as RedisBackplane from "./RedisBackplane.ts"
export * as RedisConfig from "./RedisConfig.ts"
export * as RedisStore from "./RedisStore.ts"
export * as StoreConfig from "./StoreConfig.ts"
