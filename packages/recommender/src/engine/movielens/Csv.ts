/**
 * Comma-separated values (RFC 4180) from pieces of text cut anywhere: LF or CRLF, quoted fields, no line breaks in them.
 *
 * @since 0.1.0
 */

/**
 * What is wrong, and in which line (the first is 1).
 *
 * @category models
 * @since 0.1.0
 */
export interface Fault {
  readonly reason: "BadHeader" | "BadRow" | "Empty"
  readonly line: number
  readonly message: string
}

/**
 * The headers that a file may begin with, and what becomes of a row: `undefined`, or what is wrong with it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Table {
  readonly headers: ReadonlyArray<string>
  readonly row: (fields: ReadonlyArray<string>) => string | undefined
}

/**
 * Takes pieces until one is bad (`push` then answers `false`), and says at the end what was wrong.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reader {
  readonly push: (piece: string) => boolean
  readonly end: () => Fault | undefined
}

// The longest title of MovieLens has 158 characters; a file without line breaks must not be collected in memory.
const LONGEST_LINE = 65_536

/**
 * Makes a reader for a table.
 *
 * @category constructors
 * @since 0.1.0
 */
export const reader = (table: Table): Reader => {
  const takeLine = lineTaker(table)
  let fault: Fault | undefined
  let line = 0
  let rest = ""

  const take = (text: string): void => {
    line++
    fault ??= takeLine(text, line)
  }
  const push = (piece: string): boolean => {
    rest += line === 0 && rest === "" && piece.startsWith("\uFEFF") ? piece.slice(1) : piece
    let from = 0
    for (let to = rest.indexOf("\n"); to >= 0; to = rest.indexOf("\n", from)) {
      take(rest.slice(from, to))
      from = to + 1
    }
    rest = rest.slice(from)
    if (rest.length > LONGEST_LINE) fault ??= badRow(line + 1, `longer than ${LONGEST_LINE} characters`)
    return fault === undefined
  }
  const end = (): Fault | undefined => {
    if (rest !== "") take(rest)
    rest = ""
    return fault ?? (line < 2 ? { reason: "Empty", line, message: "no rows" } : undefined)
  }
  return { push, end }
}

const badRow = (line: number, message: string): Fault => ({ reason: "BadRow", line, message })

const lineTaker = (table: Table) => {
  let columns = 0
  return (raw: string, line: number): Fault | undefined => {
    const text = raw.endsWith("\r") ? raw.slice(0, -1) : raw
    if (line === 1) {
      columns = text.split(",").length
      const message = `the header must be ${table.headers.join(" or ")}`
      return table.headers.includes(text) ? undefined : { reason: "BadHeader", line, message }
    }
    const fields = split(text)
    if (typeof fields === "string") return badRow(line, fields)
    if (fields.length !== columns) return badRow(line, `${fields.length} fields instead of ${columns}`)
    const message = table.row(fields)
    return message === undefined ? undefined : badRow(line, message)
  }
}

/**
 * The fields of one line, or what is wrong with its quotes.
 *
 * @category combinators
 * @since 0.1.0
 */
export const split = (line: string): ReadonlyArray<string> | string => {
  // Rows of numbers, the million of them, have no quotes.
  if (!line.includes('"')) return line.split(",")
  const fields: Array<string> = []
  for (let at = 0; at <= line.length;) {
    const quoted = line[at] === '"'
    const end = quoted ? endOfQuoted(line, at) : endOfPlain(line, at)
    if (quoted && end === -1) return "a quote is not closed"
    const field = quoted ? line.slice(at + 1, end - 1).replaceAll('""', '"') : line.slice(at, end)
    if (!quoted && field.includes('"')) return "a quote inside an unquoted field"
    if (end < line.length && line[end] !== ",") return "text after a closing quote"
    fields.push(field)
    at = end + 1
  }
  return fields
}

const endOfPlain = (line: string, from: number): number => {
  const comma = line.indexOf(",", from)
  return comma === -1 ? line.length : comma
}

/** The place behind the closing quote; a doubled quote is one of the field's own. */
const endOfQuoted = (line: string, from: number): number => {
  for (let at = from + 1; ; at++) {
    at = line.indexOf('"', at)
    if (at === -1) return -1
    if (line[at + 1] !== '"') return at + 1
    at++
  }
}
