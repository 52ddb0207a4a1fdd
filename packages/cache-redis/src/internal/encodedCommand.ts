import { Command } from "ioredis"

/**
 * A command whose wire form is already made.
 *
 * ioredis goes over its arguments several times (flatten, transform, stringify, measure, join). For a batch of writes that
 * is most of the cost, so the batch is encoded once, straight into the bytes that go to the socket.
 */
export class EncodedCommand extends Command {
  bytes: Buffer
  reply: unknown

  constructor(name: string, bytes: Buffer) {
    super(name)
    this.bytes = bytes
  }

  // ioredis assigns a function to each command, which V8 allocates in old space for that: the command, its promise and the
  // promise's value live until the next major collection. So the bytes are given away (a command is written once: nothing
  // is queued or sent again), and the reply waits here, not in the promise, until it is taken.

  override toWritable(): Buffer {
    const { bytes } = this
    this.bytes = nothing
    return bytes
  }

  override transformReply(reply: Buffer | Array<Buffer>): Buffer {
    this.reply = reply
    return nothing
  }

  take(): unknown {
    const { reply } = this
    this.reply = undefined
    return reply
  }
}

const nothing = Buffer.alloc(0)

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
    const { length } = value
    this.reserve(length + 2 * widest)
    const start = this.at
    this.header(dollar, length)
    const written = this.bytes.write(value, this.at)
    if (written === length) {
      this.at += length
      this.lineEnd()
    } else {
      // Not ASCII, which is rare in keys: more bytes than letters.
      this.at = start
      this.blob(Buffer.from(value))
    }
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

  /** A non-negative integer, as text. */
  int(value: number): void {
    if (value > 0x7fffffff) return this.text(String(value))
    this.reserve(2 * widest)
    this.header(dollar, digitsOf(value))
    this.digits(value)
    this.lineEnd()
  }

  header(kind: number, count: number): void {
    this.bytes[this.at++] = kind
    this.digits(count)
    this.lineEnd()
  }

  digits(value: number): void {
    const { bytes } = this
    this.at += digitsOf(value)
    let at = this.at
    let left = value | 0
    do {
      const tenth = (left / 10) | 0
      bytes[--at] = zero + left - tenth * 10
      left = tenth
    } while (left > 0)
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

const digitsOf = (value: number): number => {
  let digits = 1
  for (let bound = 10; value >= bound; bound *= 10) digits++
  return digits
}
