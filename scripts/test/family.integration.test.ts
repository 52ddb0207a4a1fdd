import { execFile } from "node:child_process"
import { promisify } from "node:util"

import { expect, it } from "vitest"

const family = new URL("../servers/family.ts", import.meta.url).href

/** Its server's parent ends at once; somebody whom that started has its pipes for a moment longer. */
const program = `
  import { startFamily } from ${JSON.stringify(family)}
  const { stop } = startFamily("/bin/sh", ["-c", "trap 'exit 0' TERM; (trap '' TERM; sleep 1) & wait"], {})
  await new Promise((resolve) => setTimeout(resolve, 200))
  await stop("SIGTERM")
  console.log("stopped")
`

it("regression: a program that has nothing else to do waits until its server has ended", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program])
  expect(stdout).toBe("stopped\n")
})
