/**
 * @since 0.1.0
 */
export * as HttpService from "./HttpService.ts"
export * as Problem from "./Problem.ts"
