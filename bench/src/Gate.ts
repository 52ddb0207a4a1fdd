import { figure, multiple, render } from "./Table.ts"

/**
 * A budget of the design: what we aim for, and what must hold on a noisy machine. `reached` is what this run showed,
 * `undefined` when it couldn't be measured, which breaks the gate too: a number nobody saw isn't kept.
 */
export interface Gate {
  readonly what: string
  readonly target: number
  readonly gate: number
  readonly unit: "×" | "ms" | "µs" | "MB" | "calls"
  readonly better: "smaller" | "larger"
  readonly reached: number | undefined
}

const within = ({ better, reached }: Gate, bound: number) =>
  reached !== undefined && (better === "smaller" ? reached <= bound : reached >= bound)

/** Whether this run keeps the gate. */
export const holds = (gate: Gate) => within(gate, gate.gate)

const verdict = (gate: Gate) => {
  if (gate.reached === undefined) return "not measured"
  if (!holds(gate)) return "**broken**"
  return within(gate, gate.target) ? "target met" : "held"
}

const amount = (value: number, unit: Gate["unit"]) => (unit === "×" ? multiple(value) : `${figure(value)} ${unit}`)

/** The table of the design's budgets with what this run showed. */
export const table = (gates: ReadonlyArray<Gate>) =>
  render(
    ["budget", "target", "gate", "this run", "verdict"],
    gates.map((gate) => {
      const sign = gate.better === "smaller" ? "≤" : "≥"
      return [
        gate.what,
        `${sign} ${amount(gate.target, gate.unit)}`,
        amount(gate.gate, gate.unit),
        gate.reached === undefined ? "–" : amount(gate.reached, gate.unit),
        verdict(gate)
      ]
    })
  )
