type Cell = string | number

/** A markdown table, its columns padded so that it also reads in a terminal; every column but the first is right-aligned. */
export const render = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<Cell>>) => {
  const cells = [head, ...rows.map((row) => row.map(String))]
  const widths = head.map((_, column) => Math.max(4, ...cells.map((row) => (row[column] ?? "").length)))
  const line = (row: ReadonlyArray<string>) =>
    `| ${widths.map((width, column) => pad(row[column] ?? "", width, column)).join(" | ")} |`
  const rule = `| ${widths.map((width, column) => (column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)).join(" | ")} |`
  return [line(cells[0] ?? []), rule, ...cells.slice(1).map(line)].join("\n")
}

const pad = (text: string, width: number, column: number) => (column === 0 ? text.padEnd(width) : text.padStart(width))

/** Three significant digits: noise makes any further digit a lie. */
export const figure = (value: number) => {
  if (!Number.isFinite(value)) return "–"
  if (value >= 10_000) return `${(value / 1000).toFixed(1)}k`
  if (value >= 100) return value.toFixed(0)
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

/** `figure` as a multiple: `2.76×`. */
export const multiple = (value: number) => (Number.isFinite(value) ? `${figure(value)}×` : "–")
