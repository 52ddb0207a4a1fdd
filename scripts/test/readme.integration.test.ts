/** What the root README shows of `npm start -- --once` is what it prints, but for the numbers. */
import { execFile } from "node:child_process"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"

import { expect, it } from "vitest"

const root = join(import.meta.dirname, "../..")

const shown = async (command: string): Promise<string> => {
  const readme = await readFile(join(root, "README.md"), "utf8")
  const block = readme.split(`<!-- ${command} -->`)[1]?.split("```")[1]
  if (block === undefined) throw new Error(`README.md shows no output of ${command}`)
  return block.trim()
}

/** Numbers are any number, columns as wide as they happen to be; progress is drawn as often as time allows. */
const shape = (text: string): ReadonlyArray<string> =>
  text
    .replaceAll(/\d+(\.\d+)?/g, "0")
    .replaceAll(/ +/g, " ")
    .split("\n")
    .filter((line, index, lines) => line !== lines[index - 1] || !line.startsWith("published"))

it("prints what the README shows", async () => {
  const environment = { ...process.env, PORT: "0", KINESIS_PORT: "0", REDIS_ENABLED: "false" }
  const { stdout } = await promisify(execFile)(process.execPath, ["apps/local/src/main.ts", "--once"], {
    cwd: root,
    env: environment
  })
  expect(shape(stdout.trim())).toEqual(shape(await shown("npm start -- --once")))
})
