/**
 * Turns every TypeScript fence of the sources and READMEs into a test, so that no example goes unrun.
 *
 * - `a // => b` asserts that `a` deeply equals `b`; so do `const x = a // => b` and `console.log(a) // => b`
 * - a fence opened with `ts no-run` is only type-checked: for programs that would start a server
 *
 * A package's fences become packages/NAME/.doctest/*.test.ts, where its own dependencies resolve. The root README's go
 * to apps/local, the one workspace that depends on every package. `pnpm docs:test` then type-checks and runs them.
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"

const root = join(import.meta.dirname, "..")

interface Fence {
  readonly source: string
  readonly line: number
  readonly code: string
  readonly runs: boolean
}

const inComment = /^ *\* ```ts( no-run)?\n([\s\S]*?)^ *\* ```$/gm
const inMarkdown = /^```ts( no-run)?\n([\s\S]*?)^```$/gm

const fencesOf = (source: string): ReadonlyArray<Fence> => {
  const text = readFileSync(join(root, source), "utf8")
  const commented = source.endsWith(".ts")
  return Array.from(text.matchAll(commented ? inComment : inMarkdown), (match) => ({
    source,
    line: text.slice(0, match.index).split("\n").length,
    code: commented ? (match[2] ?? "").replace(/^ *\* ?/gm, "") : (match[2] ?? ""),
    runs: match[1] === undefined
  }))
}

/** An import statement, also one over several lines. */
const importStatement = /^import (?:type )?(?:[^"'\n]|\n(?!import ))*["'][^"'\n]+["']$/gm

const asserted = (code: string): string =>
  code
    .replace(/^( *)console\.log\((.+)\) \/\/ => (.+)$/gm, "$1assert.deepStrictEqual($2, $3)")
    .replace(/^( *)(const (\w+)\b.*?) \/\/ => (.+)$/gm, "$1$2\n$1assert.deepStrictEqual($3, $4)")
    .replace(/^( *)(.+?) \/\/ => (.+)$/gm, "$1assert.deepStrictEqual($2, $3)")

/** Inside the test's function there is nobody to export to. */
const withoutExports = (code: string): string => code.replace(/^export (?=const|class|interface|type|function)/gm, "")

const testOf = ({
  source,
  line,
  code,
  runs
}: Fence): string => `// Generated from ${source}:${line} by scripts/doctest.ts
${(code.match(importStatement) ?? []).join("\n")}
import { assert, test } from "vitest"

test${runs ? "" : ".skip"}(${JSON.stringify(`${source}:${line}`)}, async () => {
${withoutExports(asserted(code.replace(importStatement, "")))}
})
void assert
`

const write = (workspace: string, sources: ReadonlyArray<string>): number => {
  const out = join(root, workspace, ".doctest")
  rmSync(out, { recursive: true, force: true })
  const fences = sources.flatMap(fencesOf)
  if (fences.length > 0) mkdirSync(out, { recursive: true })
  for (const fence of fences) {
    const name = `${relative(workspace, fence.source)}-${fence.line}`.replaceAll(/[^\w]+/g, "-").replace(/^-/, "")
    writeFileSync(join(out, `${name}.test.ts`), testOf(fence))
  }
  return fences.length
}

const inRoot = (pattern: ReadonlyArray<string>) => globSync(pattern, { cwd: root }).toSorted()

const packages = inRoot(["packages/*"]).map((name) => write(name, inRoot([`${name}/src/**/*.ts`, `${name}/README.md`])))
const readme = write("apps/local", inRoot(["README.md"]))

console.log(`${packages.reduce((sum, count) => sum + count, readme)} examples in the documentation`)
