/** What a request event asks for once it is checked. */
export interface RecommendationRequest {
  readonly userId: number
  readonly topN: number
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

const isIntegerFrom = (value: unknown, least: number, most: number): value is number =>
  Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most

/** Decodes and checks by hand what the schemas of the other programs check; throws on the first fault. */
export const decodeRequest = (data: string): RecommendationRequest => {
  const value: unknown = JSON.parse(Buffer.from(data, "base64").toString("utf8"))
  if (!isRecord(value)) throw new Error("not an object")
  const userId = value["user_id"]
  if (!isIntegerFrom(userId, 1, Number.MAX_SAFE_INTEGER)) throw new Error("user_id")
  const topN = value["top_n"] === undefined ? 20 : value["top_n"]
  if (!isIntegerFrom(topN, 1, 100)) throw new Error("top_n")
  if (typeof value["request_id"] !== "string") throw new Error("request_id")
  if (typeof value["timestamp"] !== "string") throw new Error("timestamp")
  return { userId, topN }
}

/** Checks a list of ids from the cache or the recommender; throws when it is none. */
export const checkList = (value: unknown): ReadonlyArray<number> => {
  if (!Array.isArray(value)) throw new Error("not a list")
  for (let i = 0; i < value.length; i++) if (!Number.isSafeInteger(value[i])) throw new Error("not an id")
  return value
}

/** The list in a recommender's reply; throws when there is none. */
export const checkReply = (value: unknown): ReadonlyArray<number> => {
  if (!isRecord(value)) throw new Error("not an object")
  return checkList(value["recommendations"])
}
