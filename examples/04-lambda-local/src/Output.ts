/** What the function writes to standard output, where CloudWatch would read it: metrics and log lines. */

/** What one invocation wrote. */
export interface Written {
  readonly hits: number
  readonly misses: number
  readonly errors: ReadonlyArray<string>
}

interface Line {
  readonly CacheStatus?: "Hit" | "Miss"
  readonly RecommendationLatency?: ReadonlyArray<number>
  readonly level?: string
  readonly error?: string
}

/** Keeps standard output to itself until it is released. */
export const capture = (): { readonly take: () => Written; readonly release: () => void } => {
  const write = process.stdout.write.bind(process.stdout)
  let text = ""
  process.stdout.write = (chunk: string | Uint8Array) => {
    text += chunk.toString()
    return true
  }
  return {
    take: () => {
      const written = read(text.split("\n"))
      text = ""
      return written
    },
    release: () => {
      process.stdout.write = write
    }
  }
}

const read = (texts: ReadonlyArray<string>): Written => {
  const lines = texts.filter((text) => text !== "").map((text) => JSON.parse(text) as Line)
  return {
    hits: count(lines, "Hit"),
    misses: count(lines, "Miss"),
    errors: lines.flatMap((line) => (line.level === "error" ? [line.error ?? ""] : []))
  }
}

const count = (lines: ReadonlyArray<Line>, status: "Hit" | "Miss"): number =>
  lines
    .filter((line) => line.CacheStatus === status)
    .reduce((sum, line) => sum + (line.RecommendationLatency?.length ?? 0), 0)
