import { pathToFileURL } from "node:url"

import { environmentOf, lambdaEnvironment, lambdaModule } from "../leatApp.ts"
import type { Make, Program } from "../Program.ts"

/**
 * Leat itself: the handler that `apps/kinesis-lambda` deploys, configured by its variables alone. Whether the recommender
 * has the batch endpoint is the surroundings' affair; the app finds out.
 */
export const make: Make = async (surroundings) => {
  Object.assign(process.env, environmentOf(surroundings), lambdaEnvironment)
  const module: { readonly handler?: Program["handler"] } = await import(pathToFileURL(lambdaModule()).href)
  if (module.handler === undefined)
    throw new Error("apps/kinesis-lambda exports no handler yet (`--peers` measures the others)")
  return { handler: module.handler, close: () => Promise.resolve() }
}
