/**
 * @since 0.1.0
 */
export * as JournalConfig from "./JournalConfig.ts"
export * as PostgresJournal from "./PostgresJournal.ts"
export * as SqliteJournal from "./SqliteJournal.ts"
