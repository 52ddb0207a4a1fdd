export * as EmbeddedKinesis from "./EmbeddedKinesis.ts"
export * as LambdaRuntime from "./LambdaRuntime.ts"
