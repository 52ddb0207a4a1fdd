import { Fault } from "./Fault.ts"

/** A place in a protocol buffer, and where the message that is being read ends: nothing reads beyond it. */
export class Cursor {
  readonly bytes: Buffer
  at = 0
  end: number

  constructor(bytes: Buffer) {
    this.bytes = bytes
    this.end = bytes.length
  }

  /** Exact below 2⁵³; above it is rounded, and no index or length of ours. */
  varint(): number {
    const start = this.at
    if (start >= this.end) throw new Fault("Truncated", "a number is cut off", start)
    const first = this.bytes[start] as number
    this.at = start + 1
    return first < 0x80 ? first : this.#longVarint(start, first & 0x7f)
  }

  #longVarint(start: number, first: number): number {
    let value = first
    let factor = 0x80
    for (let count = 1; count < 10; count++) {
      if (this.at >= this.end) throw new Fault("Truncated", "a number is cut off", start)
      const byte = this.bytes[this.at++] as number
      // Ten bytes hold 70 bits, and a number has 64.
      if (count === 9 && byte > 1) break
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
      factor *= 0x80
    }
    throw new Fault("Varint", "a number has more than 64 bits", start)
  }

  /** Reads the length of what follows; gives back where that ends. */
  lengthPrefixed(): number {
    const start = this.at
    const end = this.varint() + this.at
    if (end > this.end) throw new Fault("Truncated", "a field is longer than what holds it", start)
    return end
  }

  /** Passes over a field of an unknown number by the way it is written. */
  skip(wireType: number, start: number): void {
    if (wireType === 0) this.varint()
    else if (wireType === 1) this.#pass(8, start)
    else if (wireType === 2) this.at = this.lengthPrefixed()
    else if (wireType === 5) this.#pass(4, start)
    else throw new Fault("WireType", `a field is a group or of an unknown type (${wireType})`, start)
  }

  #pass(length: number, start: number): void {
    if (this.at + length > this.end) throw new Fault("Truncated", "a field is longer than what holds it", start)
    this.at += length
  }
}
