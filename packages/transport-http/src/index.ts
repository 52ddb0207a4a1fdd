/**
 * @since 0.1.0
 */
export * as CloudEventsHttp from "./CloudEventsHttp.ts"
export * as HttpService from "./HttpService.ts"
export * as HttpTransport from "./HttpTransport.ts"
export * as Problem from "./Problem.ts"
