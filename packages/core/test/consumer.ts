/** What a user outside of the workspace writes; packages/core/test/pack.integration.test.ts runs it on the tarball. */
import * as Package from "@leat/core"

if (typeof Package !== "object") throw new Error("@leat/core has no namespaces")
console.log("ok")
