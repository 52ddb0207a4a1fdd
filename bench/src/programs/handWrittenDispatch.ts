import { makeWith } from "./handWritten.ts"
import { viaDispatch } from "./recommender.ts"

/** The reference with undici's cheapest call: how much of a miss is the HTTP client alone. */
export const make = makeWith(viaDispatch)
