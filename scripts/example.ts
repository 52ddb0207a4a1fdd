/**
 * Runs examples and compares what they print with their expected.txt.
 *
 *   pnpm example 01-hello            one (any unique beginning of its name will do)
 *   pnpm example --all               every one; exit code 1 when one differs
 *   pnpm example --update 01-hello   rewrites expected.txt; lines that still match keep their placeholders
 *
 * In expected.txt `<text>` stands for anything, `<id>` for a word and every other `<name>`, such as `<ms>`, for a number.
 * A line with a placeholder may be spaced differently, for columns follow the width of their numbers.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { text } from "node:stream/consumers"
import { parseArgs } from "node:util"

const root = join(import.meta.dirname, "..")
const timeout = 120_000

interface Run {
  readonly name: string
  readonly printed: ReadonlyArray<string>
  readonly exitCode: number | null
}

const all: ReadonlyArray<string> = globSync("examples/*/src/main.ts", { cwd: root })
  .map((main) => basename(join(main, "../..")))
  .toSorted()

const run = async (name: string): Promise<Run> => {
  const flags = ["--disable-warning=ExperimentalWarning", "src/main.ts"]
  const child = spawn(process.execPath, flags, {
    cwd: join(root, "examples", name),
    stdio: ["ignore", "pipe", "inherit"],
    timeout
  })
  const closed = once(child, "close")
  const [printed] = await Promise.all([text(child.stdout), closed])
  return { name, printed: lines(printed), exitCode: child.exitCode }
}

const lines = (printed: string): ReadonlyArray<string> => printed.replace(/\n$/, "").split("\n")

const expectedFile = (name: string) => join(root, "examples", name, "expected.txt")

const expectedOf = (name: string): ReadonlyArray<string> =>
  existsSync(expectedFile(name)) ? lines(readFileSync(expectedFile(name), "utf8")) : []

const placeholder = /<([a-z][\w-]*)>/
const meaning: Record<string, string> = { text: ".*", id: "[\\w-]+" }
const aNumber = "[-+]?\\d[\\d,]*(?:\\.\\d+)?"

const matches = (expected: string, printed: string | undefined): boolean => {
  if (expected === printed) return true
  if (printed === undefined || !placeholder.test(expected)) return false
  // Split keeps the captured names at the odd places.
  const parts = expected.split(placeholder).map((part, i) => (i % 2 === 1 ? (meaning[part] ?? aNumber) : literal(part)))
  return new RegExp(`^${parts.join("")}$`).test(printed)
}

const literal = (part: string): string => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll(/ +/g, " +")

const difference = (name: string, printed: ReadonlyArray<string>): ReadonlyArray<string> => {
  const expected = expectedOf(name)
  return Array.from({ length: Math.max(expected.length, printed.length) }, (_, i) => {
    const [left, right] = [expected[i], printed[i]]
    if (left !== undefined && matches(left, right)) return []
    return [...(left === undefined ? [] : [`- ${left}`]), ...(right === undefined ? [] : [`+ ${right}`])]
  }).flat()
}

const update = ({ name, printed }: Run): void => {
  const expected = expectedOf(name)
  const kept = printed.map((line, i) => (matches(expected[i] ?? line, line) ? (expected[i] ?? line) : line))
  writeFileSync(expectedFile(name), `${kept.join("\n")}\n`)
}

const passes = (done: Run, quiet: boolean): boolean => {
  if (!quiet) console.log(done.printed.join("\n"))
  const faults = done.exitCode === 0 ? [] : [`it ended with exit code ${done.exitCode ?? "none: killed or timed out"}`]
  faults.push(...difference(done.name, done.printed))
  console.error(`${done.name}: ${faults.length === 0 ? "as expected" : `NOT as expected\n${faults.join("\n")}`}`)
  return faults.length === 0
}

const chosen = (names: ReadonlyArray<string>, every: boolean): ReadonlyArray<string> => {
  const found = every ? all : all.filter((name) => names.some((start) => name.startsWith(start)))
  if (found.length > 0 || every) return found
  throw new Error(`usage: pnpm example NAME | --all [--update]; the examples are: ${all.join(", ")}`)
}

const { values, positionals } = parseArgs({
  options: { all: { type: "boolean", default: false }, update: { type: "boolean", default: false } },
  allowPositionals: true
})

// One after the other: several of them listen on the documented ports.
for (const name of chosen(positionals, values.all)) {
  const done = await run(name)
  if (values.update && done.exitCode === 0) update(done)
  if (!passes(done, values.all)) process.exitCode = 1
}
