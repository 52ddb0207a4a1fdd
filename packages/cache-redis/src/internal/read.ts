import { CommandEncoder, EncodedCommand } from "./encodedCommand.ts"

/** One MGET. Without a `replyEncoding` ioredis gives the bytes, not text. */
export const readCommand = (keys: ReadonlyArray<string>): EncodedCommand => {
  let size = 32
  for (const key of keys) size += key.length + 24
  const encoder = new CommandEncoder(1 + keys.length, size)
  encoder.text("MGET")
  for (const key of keys) encoder.text(key)
  return new EncodedCommand("mget", encoder.finish())
}
