import { addressOf, endpointOf } from "./slots.ts"
import type { Address } from "./slots.ts"

/**
 * What a node of a cluster says instead of an answer: another one has the slot (`Moved`), another one has this key while
 * the slot is on its way (`Ask`), some keys are here and some there (`TryAgain`), or it doesn't know the script.
 *
 * @see https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#redirection-and-resharding
 */
export type Redirection =
  | { readonly _tag: "Moved"; readonly slot: number; readonly to: Address }
  | { readonly _tag: "Ask"; readonly to: Address }
  | { readonly _tag: "TryAgain" }
  | { readonly _tag: "NoScript" }

/** Reads the text of an error; `undefined` for one that asks for nothing. `asked` is the host that said it. */
export const parse = (text: string, asked: string): Redirection | undefined => {
  if (text.startsWith("NOSCRIPT")) return { _tag: "NoScript" }
  if (text.startsWith("TRYAGAIN")) return { _tag: "TryAgain" }
  const found = /^(MOVED|ASK) (\d{1,5}) (\S*:\d{1,5})$/.exec(text)
  if (found === null) return undefined
  const { host, port } = endpointOf(found[3] ?? "")
  const to = addressOf({ host: host === "" ? asked : host, port })
  return found[1] === "ASK" ? { _tag: "Ask", to } : { _tag: "Moved", slot: Number(found[2]), to }
}
