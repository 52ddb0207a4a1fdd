/** What a user outside of the workspace writes; packages/core/test/pack.integration.test.ts runs it on the tarball. */
import * as Package from "@leat/transport-kinesis"

if (typeof Package !== "object") throw new Error("@leat/transport-kinesis has no namespaces")
console.log("ok")
