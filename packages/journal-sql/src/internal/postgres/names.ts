/**
 * Keys in PostgreSQL's indexes, whose entries hold 2,704 bytes: keys come from the outside and may be longer. A long one is
 * indexed as its beginning and its SHA-256, and kept whole beside.
 */
import { createHash } from "node:crypto"

import * as EscapedText from "../escapedText.ts"

/** It fits at three bytes a UTF-16 unit, beside a worker's name. */
const longest = 500

const prefix = 64

/** No text is escaped in this way, so no short key looks like a long one. */
const mark = "\u0010#"

export const indexed = (text: string): string => {
  const escaped = EscapedText.encode(text)
  if (escaped.length <= longest) return escaped
  return escaped.slice(0, prefix).toWellFormed() + mark + createHash("sha256").update(escaped).digest("hex")
}

/** The whole of a key that is not indexed whole; `null` for nearly all. */
export const whole = (text: string): string | null => {
  const escaped = EscapedText.encode(text)
  return escaped.length > longest ? escaped : null
}
