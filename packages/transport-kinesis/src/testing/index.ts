export * as CheckpointSuite from "./CheckpointSuite.ts"
export * as EmbeddedKinesis from "./EmbeddedKinesis.ts"
export * as FakeKinesis from "./FakeKinesis.ts"
export * as LambdaRuntime from "./LambdaRuntime.ts"
