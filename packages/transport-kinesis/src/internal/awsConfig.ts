/** Where an AWS client goes and as whom: the same for every service, so that made-up credentials go to one place only. */
import * as Redacted from "effect/Redacted"

import type * as KinesisClient from "../KinesisClient.ts"

/** Plain HTTP on this machine: the only place made-up credentials may go to. */
export const isLoopback = (endpoint: string): boolean =>
  URL.canParse(endpoint) && /^http:\/\/(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/.test(new URL(endpoint).origin)

/** What is left out is the SDK's to find: a field that is there and undefined would be taken for an answer. */
export const of = ({
  credentials,
  endpoint,
  region
}: Pick<KinesisClient.Options, "credentials" | "endpoint" | "region">) => {
  const loopback = endpoint !== undefined && isLoopback(endpoint)
  const found = credentials ?? (loopback ? madeUp : "chain")
  return {
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? (loopback ? { region: "us-east-1" } : {}) : { region }),
    ...(found === "chain" ? {} : { credentials: exposed(found) })
  }
}

const madeUp = { accessKeyId: "local", secretAccessKey: Redacted.make("local") }

const exposed = ({
  accessKeyId,
  secretAccessKey,
  sessionToken
}: Exclude<KinesisClient.Options["credentials"], "chain" | undefined>) => ({
  accessKeyId,
  secretAccessKey: Redacted.value(secretAccessKey),
  ...(sessionToken === undefined ? {} : { sessionToken: Redacted.value(sessionToken) })
})
