export * as EmbeddedKinesis from "./EmbeddedKinesis.ts"
