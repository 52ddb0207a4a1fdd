import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

import type { Surroundings } from "./Program.ts"

const inRepository = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

const lambda = inRepository("apps/kinesis-lambda")

/** Where the app's build may leave what is deployed. */
const bundles = ["bundle/index.mjs", "dist/index.mjs", "dist/bundle/index.mjs"].map((path) => `${lambda}/${path}`)

/** Builds the Lambda's bundle anew, or numbers of an old one would be read as today's. Throws what the build printed. */
export const buildLambda = () => {
  const script = `${lambda}/scripts/bundle.ts`
  if (process.env["LEAT_LAMBDA_BUNDLE"] !== undefined || !existsSync(script)) return
  const { status, stderr } = spawnSync(process.execPath, [script], { cwd: lambda, encoding: "utf8" })
  if (status !== 0) throw new Error(`apps/kinesis-lambda doesn't build:\n${stderr}`)
}

/** Where the bundle that is deployed lies, if it was built; `LEAT_LAMBDA_BUNDLE` names another one. */
export const lambdaBundle = (): string | undefined =>
  [process.env["LEAT_LAMBDA_BUNDLE"], ...bundles].find((path) => path !== undefined && existsSync(path))

/** The bundle and the files that it imports at once; those of a journal come when one is asked for. */
export const loadedFiles = (file: string, found = new Set<string>()): ReadonlySet<string> => {
  found.add(file)
  for (const [, name = ""] of readFileSync(file, "utf8").matchAll(/\b(?:from|import)\s*"(\.\/[\w-]+\.mjs)"/g)) {
    const imported = join(dirname(file), name)
    if (!found.has(imported)) loadedFiles(imported, found)
  }
  return found
}

/** The module whose `handler` is measured: the bundle, since that is what runs on AWS, else the app's source. */
export const lambdaModule = () => lambdaBundle() ?? `${lambda}/src/main.ts`

/** The program of the HTTP service. */
export const httpServer = () => inRepository("apps/http-server/src/main.ts")

/** The variables by which both apps find their surroundings. */
export const environmentOf = (surroundings: Surroundings): Record<string, string> => ({
  RECOMMENDER_ENDPOINT: surroundings.recommender,
  REDIS_ENDPOINT: surroundings.redisHost,
  REDIS_PORT: String(surroundings.redisPort),
  REDIS_ENABLED: "true",
  ...(surroundings.database === undefined ? {} : { DATABASE_URL: surroundings.database })
})

/** What AWS sets besides: by these a program takes itself for a Lambda. */
export const lambdaEnvironment = {
  AWS_LAMBDA_FUNCTION_NAME: "movie-rec-kinesis-handler",
  AWS_REGION: "us-east-1"
}
