import type { Envelope } from "../../Envelope.ts"
import type * as Event from "../../Event.ts"
import type { JournaledOutcome } from "../../Journal.ts"
import * as Outcome from "../../Outcome.ts"

/** One line of a comparison. */
export interface Row {
  readonly ok: boolean
  readonly cells: ReadonlyArray<string>
}

/** The comparison as a table, where a line differs; else `undefined`. */
export const differences = (title: ReadonlyArray<string>, rows: ReadonlyArray<Row>): string | undefined => {
  if (rows.every(({ ok }) => ok)) return undefined
  const all = [title, ...rows.map(({ cells }) => cells)]
  const widths = title.map((_, column) => Math.max(...all.map((cells) => cells[column]?.length ?? 0)))
  const line = (mark: string, cells: ReadonlyArray<string>) =>
    `${mark} ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd()
  return [line(" ", title), ...rows.map(({ cells, ok }) => line(ok ? "=" : "x", cells))].join("\n")
}

/** What was expected beside what was, place by place. */
export const inOrder = <Expected, Was>(
  expected: ReadonlyArray<Expected>,
  was: ReadonlyArray<Was>,
  options: {
    readonly same: (expected: Expected, was: Was) => boolean
    readonly expected: (expected: Expected) => string
    readonly was: (was: Was) => string
  }
): string | undefined =>
  differences(
    ["expected", "was"],
    Array.from({ length: Math.max(expected.length, was.length) }, (_, place) => {
      const [left, right] = [expected[place], was[place]]
      return {
        ok: left !== undefined && right !== undefined && options.same(left, right),
        cells: [
          left === undefined ? nothing : options.expected(left),
          right === undefined ? nothing : options.was(right)
        ]
      }
    })
  )

const nothing = "(nothing)"

/** An outcome in a line. */
export const said = (outcome: Outcome.Outcome | JournaledOutcome): string => {
  if (outcome._tag === "Handled" || outcome._tag === "Duplicate" || outcome._tag === "Unstarted") return outcome._tag
  const again = outcome._tag === "Failed" && outcome.retryable ? " (may be tried again)" : ""
  return `${outcome._tag}: ${reasonOf(outcome)}${again}`
}

/** A schema's message has a line for each fault. */
const reasonOf = (outcome: Outcome.Skipped | Outcome.Parked | Outcome.Failed): string =>
  (Outcome.reason(outcome) ?? "").replaceAll(/\s+/g, " ")

/** Whether an outcome is what a line such as `Handled` or `Parked: part of the reason` says. */
export const isSaid = (line: string, outcome: Outcome.Outcome | JournaledOutcome): boolean => {
  const at = line.indexOf(": ")
  if (at === -1) return outcome._tag === line
  return (
    outcome._tag === line.slice(0, at) &&
    said(outcome)
      .slice(outcome._tag.length)
      .includes(line.slice(at + 2))
  )
}

/** An event in a line: its type and its payload in the JSON form. */
export const eventLine = ({ data, type }: Event.Emitted | Envelope): string => `${type} ${canonical(data)}`

/** As JSON with the members of every object in one order: a store may give them back in another one. */
export const canonical = (value: unknown): string => JSON.stringify(value, sorted) ?? "undefined"

const sorted = (_name: string, value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    : value

/** The steps up to the failed one, which is marked. */
export const told = (sentences: ReadonlyArray<string>): string =>
  sentences.map((sentence, index) => `${index === sentences.length - 1 ? ">" : " "} ${sentence}`).join("\n")
