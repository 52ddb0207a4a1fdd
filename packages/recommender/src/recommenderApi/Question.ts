/**
 * What a caller asks, read by hand: total functions from untrusted values to a question or its faults.
 *
 * @since 0.1.0
 */
import type * as Recommender from "../Recommender.ts"

/**
 * The limits of a question.
 *
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  readonly topNDefault: number
  readonly topNMax: number
  readonly maxRequests: number
}

/**
 * One fault and where it is: `params`, `query` or `payload` first.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fault {
  readonly path: ReadonlyArray<string | number>
  readonly message: string
}

/**
 * The faults of a question that can't be answered.
 *
 * @category models
 * @since 0.1.0
 */
export class Faults {
  readonly faults: ReadonlyArray<Fault>

  constructor(faults: ReadonlyArray<Fault>) {
    this.faults = faults
  }
}

/**
 * Reads `/…/{user_id}?top_n=`. A repeated parameter comes as an array and is a fault; unknown ones are let be.
 *
 * @category decoding
 * @since 0.1.0
 */
export const single = (user: unknown, top: unknown, limits: Limits): Recommender.RecommendRequest | Faults => {
  const user_id = typeof user === "string" ? integer(user) : Number.NaN
  const top_n = top === undefined ? limits.topNDefault : typeof top === "string" ? integer(top) : Number.NaN
  if (isUserId(user_id) && isTopN(top_n, limits)) return { user_id, top_n }
  const faults: Array<Fault> = []
  if (!isUserId(user_id)) faults.push({ path: ["params", "user_id"], message: userFault })
  if (!isTopN(top_n, limits)) faults.push({ path: ["query", "top_n"], message: topFault(limits) })
  return new Faults(faults)
}

/**
 * Reads `?top_n=` alone.
 *
 * @category decoding
 * @since 0.1.0
 */
export const top = (text: unknown, limits: Limits): number | Faults => {
  const top_n = text === undefined ? limits.topNDefault : typeof text === "string" ? integer(text) : Number.NaN
  return isTopN(top_n, limits) ? top_n : new Faults([{ path: ["query", "top_n"], message: topFault(limits) }])
}

/**
 * Reads the `user_id` of a path.
 *
 * @category decoding
 * @since 0.1.0
 */
export const user = (text: unknown): number | Faults => {
  const user_id = typeof text === "string" ? integer(text) : Number.NaN
  return isUserId(user_id) ? user_id : new Faults([{ path: ["params", "user_id"], message: userFault }])
}

/**
 * Whether a content type says JSON.
 *
 * @category guards
 * @since 0.1.0
 */
export const isJson = (type: string | undefined): boolean =>
  type !== undefined && /^application\/([\w.-]+\+)?json\s*(;|$)/i.test(type)

/**
 * A body as a value; `undefined` where it is not JSON.
 *
 * @category decoding
 * @since 0.1.0
 */
export const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * Reads the body of the batch endpoint: every fault of every request is named, at most 100 of them.
 *
 * @category decoding
 * @since 0.1.0
 */
export const many = (body: unknown, limits: Limits): ReadonlyArray<Recommender.RecommendRequest> | Faults => {
  const requests = member(body, "requests")
  if (!Array.isArray(requests)) return new Faults([{ path: ["payload", "requests"], message: "must be an array" }])
  if (requests.length > limits.maxRequests) {
    return new Faults([{ path: ["payload", "requests"], message: `must have at most ${limits.maxRequests} items` }])
  }
  const faults: Array<Fault> = []
  const asked = requests.map((value: unknown, i) => one(value, i, limits, faults))
  return faults.length === 0 ? asked : new Faults(faults.slice(0, mostFaults))
}

const mostFaults = 100

const one = (value: unknown, i: number, limits: Limits, faults: Array<Fault>): Recommender.RecommendRequest => {
  const user_id = member(value, "user_id")
  const top = member(value, "top_n")
  const top_n = top === undefined ? limits.topNDefault : top
  if (isUserId(user_id) && isTopN(top_n, limits)) return { user_id, top_n }
  if (!isUserId(user_id)) faults.push({ path: ["payload", "requests", i, "user_id"], message: userFault })
  if (!isTopN(top_n, limits)) faults.push({ path: ["payload", "requests", i, "top_n"], message: topFault(limits) })
  return nobody
}

const nobody: Recommender.RecommendRequest = { user_id: 0, top_n: 0 }

// 16 digits hold every safe integer; more would only be rounded.
const digits = /^\d{1,16}$/

const integer = (text: string): number => (digits.test(text) ? Number(text) : Number.NaN)

const isUserId = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 1

const isTopN = (value: unknown, limits: Limits): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= limits.topNMax

const userFault = "must be one positive integer, at most 9007199254740991"

const topFault = (limits: Limits): string => `must be one integer between 1 and ${limits.topNMax}`

// Own members alone, so that nothing is read from a prototype.
const member = (value: unknown, name: "requests" | "user_id" | "top_n"): unknown =>
  isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined

const isObject = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null
