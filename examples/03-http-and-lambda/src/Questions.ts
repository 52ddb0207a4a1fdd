/** What both programs are asked: the same four bodies. The third one is the first user's again, the last one is bad. */
const question = (user_id: number, top_n: number, request_id: string) =>
  JSON.stringify({ user_id, top_n, request_id, timestamp: "2025-10-24T10:30:00Z" })

export const questions: ReadonlyArray<string> = [
  question(1, 3, "one"),
  question(2, 2, "two"),
  question(1, 3, "again"),
  question(1, 0, "none wanted")
]
