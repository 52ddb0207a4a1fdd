/** What the person at the keyboard asked for. */
import { parseArgs } from "node:util"

export interface Settings {
  /** End after the burst. */
  readonly once: boolean
  /** Requests in the burst. */
  readonly requests: number
  /** Requests published a second. */
  readonly rate: number
  /** Users who may ask. */
  readonly users: number
}

export const usage = `usage: npm start -- [--once] [--requests N] [--rate N] [--users N]

  --once        end after the burst: 0 when every request was served, 1 when not
  --requests N  requests in the burst, default 5000
  --rate N      requests published a second, default 1500 (two shards take 2000)
  --users N     users who may ask, drawn by Zipf's law, default 800

environment: PORT (8082), HOST, KINESIS_PORT (4567), REDIS_ENDPOINT, REDIS_PORT, REDIS_ENABLED, CACHE_TTL, TOP_N_MAX,
DATABASE_URL (a SQLite file in .leat; postgres://… or sqlite:PATH), RECOMMENDER_SNAPSHOT, MOVIELENS_DIR`

/** The settings, a call for help, or what is wrong with the arguments. */
export const parse = (args: ReadonlyArray<string>): Settings | { readonly help: true } | { readonly fault: string } => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        help: { type: "boolean", short: "h", default: false },
        once: { type: "boolean", default: false },
        requests: { type: "string", default: "5000" },
        rate: { type: "string", default: "1500" },
        users: { type: "string", default: "800" }
      }
    })
    if (values.help) return { help: true }
    const counts = { requests: Number(values.requests), rate: Number(values.rate), users: Number(values.users) }
    const wrong = Object.entries(counts).find(([, count]) => !Number.isSafeInteger(count) || count < 1 || count > 1e6)
    return wrong === undefined
      ? { once: values.once, ...counts }
      : { fault: `--${wrong[0]} must be an integer from 1 to 1000000` }
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) }
  }
}
