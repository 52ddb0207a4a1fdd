import { createHash, createHmac } from "node:crypto"

import { CacheStoreError } from "@leat/core/CacheStore"
import * as DateTime from "effect/DateTime"

/** Keys of AWS. */
export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

/** For whom and where a token is. */
export interface TokenRequest {
  /** The name of the replication group or of the serverless cache. */
  readonly cacheName: string
  readonly serverless: boolean
  readonly region: string
  readonly username: string
}

/** Seconds that AWS takes a token for valid. */
const validity = 900

/** Milliseconds after which a token is renewed, and a connection shows a new one: AWS closes it 12 hours after the last. */
const renewal = 600_000

/** Milliseconds between two tries to get one. */
const pause = 1_000

/**
 * A token for ElastiCache: the query of a request that is signed and never sent.
 *
 * @see https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html
 */
export const sign = async (request: TokenRequest, credentials: AwsCredentials, now: number): Promise<string> => {
  const { SignatureV4 } = await signer()
  const { accessKeyId, secretAccessKey, sessionToken } = credentials
  const signature = new SignatureV4({
    service: "elasticache",
    region: request.region,
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
    sha256: Sha256
  })
  const hostname = request.cacheName.toLowerCase()
  const query = {
    Action: "connect",
    User: request.username,
    ...(request.serverless ? { ResourceType: "ServerlessCache" } : {})
  }
  const unsigned = { method: "GET", protocol: "http:", hostname, path: "/", query, headers: { host: hostname } }
  const signed = await signature.presign(unsigned, {
    expiresIn: validity,
    signingDate: DateTime.toDateUtc(DateTime.makeUnsafe(now))
  })
  const pairs = Object.entries(signed.query ?? {}).map(([name, value]) => `${escape(name)}=${escape(String(value))}`)
  return `${hostname}/?${pairs.join("&")}`
}

/** RFC 3986, as a signature has it. */
const escape = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`)

// Only who uses IAM pays for these, in bytes and in a cold start.
const signer = () => load(() => import("@smithy/signature-v4"), "@smithy/signature-v4")
const provider = () => load(() => import("@aws-sdk/credential-provider-node"), "@aws-sdk/credential-provider-node")

const load = async <A>(module: () => Promise<A>, name: string): Promise<A> => {
  try {
    return await module()
  } catch {
    throw new CacheStoreError({ reason: "Auth", message: `IAM authentication needs the package ${name}: install it` })
  }
}

/** The credentials of the environment, as every SDK of AWS finds them. */
export const defaultCredentials = async (): Promise<AwsCredentials> => {
  const { defaultProvider } = await provider()
  return await defaultProvider()()
}

/** Node's own SHA-256 and HMAC, in the shape that the signer asks for. */
class Sha256 {
  readonly hash: ReturnType<typeof createHash> | ReturnType<typeof createHmac>

  constructor(secret?: unknown) {
    this.hash = secret === undefined ? createHash("sha256") : createHmac("sha256", bytesOf(secret))
  }

  update(data: unknown): void {
    this.hash.update(bytesOf(data))
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(this.hash.digest()))
  }

  reset(): void {}
}

const bytesOf = (data: unknown): Uint8Array => {
  if (typeof data === "string") return Buffer.from(data)
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data as ArrayBuffer)
}

/** The token in use, renewed before it is too old. */
export class IamTokens {
  readonly request: TokenRequest
  readonly credentials: () => Promise<AwsCredentials>
  readonly now: () => number
  token: string | undefined
  signedAt = -Infinity
  triedAt = -Infinity
  renewing: Promise<void> | undefined

  constructor(request: TokenRequest, credentials: () => Promise<AwsCredentials>, now: () => number) {
    this.request = request
    this.credentials = credentials
    this.now = now
  }

  /** By the wall clock: timers stand still while a Lambda environment does. */
  get isOld(): boolean {
    return this.now() - this.signedAt > renewal
  }

  /** Whether a connection that authenticated then should do it again. */
  isLongAgo(authenticatedAt: number): boolean {
    return this.now() - authenticatedAt > renewal
  }

  /** Renews an old one; rejects with an error without secrets. */
  renewed(): Promise<void> {
    if (!this.isOld) return Promise.resolve()
    this.renewing ??= this.renew().finally(() => (this.renewing = undefined))
    return this.renewing
  }

  /** The same, for nobody to wait for, and not too often. */
  freshen(failed: (error: CacheStoreError) => void): void {
    if (!this.isOld || this.now() - this.triedAt < pause) return
    this.triedAt = this.now()
    this.renewed().catch(failed)
  }

  async renew(): Promise<void> {
    try {
      const now = this.now()
      this.token = await sign(this.request, await this.credentials(), now)
      this.signedAt = now
    } catch (error) {
      if (error instanceof CacheStoreError) throw error
      // The words of a provider may hold anything.
      const name = error instanceof Error ? error.name : "unknown"
      throw new CacheStoreError({ reason: "Auth", message: `no AWS credentials for an IAM token (${name})` })
    }
  }
}
