import { Command } from "ioredis"

/**
 * A command whose wire form is already made.
 *
 * ioredis goes over its arguments several times (flatten, transform, stringify, measure, join). For a batch of writes that
 * is most of the cost, so the batch is encoded once, straight into the bytes that go to the socket.
 */
export class EncodedCommand extends Command {
  readonly bytes: Buffer

  constructor(name: string, bytes: Buffer) {
    super(name)
    this.bytes = bytes
  }

  override toWritable(): Buffer {
    return this.bytes
  }
}

/**
 * Writes one command as RESP: an array of bulk strings.
 *
 * @see https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
export class CommandEncoder {
  bytes: Buffer
  at = 0

  /** `size`: the expected number of bytes; more are found room for. */
  constructor(args: number, size: number) {
    this.bytes = Buffer.allocUnsafe(size)
    this.header(star, args)
  }

  text(value: string): void {
    const length = value.length
    this.reserve(length + widest)
    const start = this.at
    this.header(dollar, length)
    const { bytes } = this
    let at = this.at
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i)
      if (unit > 0x7f) {
        this.at = start
        return this.blob(Buffer.from(value))
      }
      bytes[at++] = unit
    }
    this.at = at
    this.lineEnd()
  }

  blob(value: Uint8Array): void {
    this.reserve(value.length + widest)
    this.header(dollar, value.length)
    this.bytes.set(value, this.at)
    this.at += value.length
    this.lineEnd()
  }

  finish(): Buffer {
    return this.bytes.subarray(0, this.at)
  }

  reserve(room: number): void {
    if (this.at + room <= this.bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.at + room))
    this.bytes.copy(larger, 0, 0, this.at)
    this.bytes = larger
  }

  header(kind: number, count: number): void {
    this.bytes[this.at++] = kind
    if (count < 10) this.bytes[this.at++] = zero + count
    else if (count < 100) {
      this.bytes[this.at++] = zero + Math.floor(count / 10)
      this.bytes[this.at++] = zero + (count % 10)
    } else this.at += this.bytes.write(String(count), this.at, "latin1")
    this.lineEnd()
  }

  lineEnd(): void {
    this.bytes[this.at++] = 0x0d
    this.bytes[this.at++] = 0x0a
  }
}

const star = 0x2a
const dollar = 0x24
const zero = 0x30

/** Most bytes around an argument: its kind, ten digits of length, two line ends. */
const widest = 16
