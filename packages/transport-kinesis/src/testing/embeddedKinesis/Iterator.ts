/**
 * Reads the shard iterators that kinesalite hands out, so that a limit can be kept per shard without a table of every
 * iterator ever given. AWS's own iterators are opaque; nothing outside the embedded stream may use this.
 *
 * @since 0.1.0
 */
import { createDecipheriv } from "node:crypto"

/**
 * Where an iterator points.
 *
 * @category models
 * @since 0.1.0
 */
export interface Target {
  readonly stream: string
  readonly shardId: string
}

// Published constants of kinesalite 3.3.3 (db/index.js): an iterator is 8 bytes of version, then AES of five fields.
const key = Buffer.from("1133a5a833666b49abf28c8ba302930f0b2fb240dccd43cf4dfbc0ca91f17751", "hex")
const iv = Buffer.from("7bf139dbabbea2d9995d6fcae1dff7da", "hex")

/**
 * The shard of an iterator; `undefined` when it is not one of kinesalite's.
 *
 * @category getters
 * @since 0.1.0
 */
export const target = (iterator: string): Target | undefined => {
  try {
    const decipher = createDecipheriv("aes-256-cbc", key, iv)
    const bytes = Buffer.from(iterator, "base64").subarray(8)
    const [, stream, shardId] = Buffer.concat([decipher.update(bytes), decipher.final()])
      .toString("utf8")
      .split("/")
    return stream === undefined || shardId === undefined ? undefined : { stream, shardId }
  } catch {
    return undefined
  }
}
