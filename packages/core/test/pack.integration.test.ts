/**
 * Each package as its users get it: packed, installed by npm into an empty project, compiled by a strict tsc, run.
 *
 * `packages/NAME/test/consumer.ts` is that user's program. Inside the workspace it is type-checked against the sources
 * like every test; here the same text meets the tarball, so a wrong `exports`, a missing file or a dependency that only
 * the workspace provides shows up.
 */
import { execFile } from "node:child_process"
import { globSync } from "node:fs"
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { promisify } from "node:util"

import { afterAll, beforeAll, describe, expect, it } from "vitest"

const root = join(import.meta.dirname, "../../..")
const tsc = join(root, "node_modules/typescript/bin/tsc")
const packages: ReadonlyArray<string> = globSync("packages/*/package.json", { cwd: root })
  .map((manifest) => basename(dirname(manifest)))
  .toSorted()

/** Both streams in the message: tsc reports on stdout, and Node alone would show stderr. */
const run = async (file: string, args: ReadonlyArray<string>, cwd: string): Promise<string> => {
  const { stdout, stderr, failed } = await promisify(execFile)(file, [...args], { cwd, maxBuffer: 1 << 26 }).then(
    (output) => ({ ...output, failed: false }),
    (error: { readonly stdout?: string; readonly stderr?: string; readonly message: string }) => ({
      stdout: error.stdout ?? "",
      stderr: error.stderr ?? error.message,
      failed: true
    })
  )
  if (failed) throw new Error(`${[basename(file), ...args].join(" ")}\n${stdout}\n${stderr}`)
  return stdout
}

const versionOf = async (name: string): Promise<string> => {
  const manifest: unknown = JSON.parse(
    await readFile(join(root, "packages/core/node_modules", name, "package.json"), "utf8")
  )
  return manifest !== null && typeof manifest === "object" && "version" in manifest
    ? String(manifest.version)
    : "latest"
}

const compilerOptions = {
  target: "ES2024",
  module: "NodeNext",
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  // Our own declarations are the subject; those of other people's packages are not.
  skipLibCheck: true,
  types: ["node"],
  rootDir: ".",
  outDir: "out"
}

describe("a project outside of the workspace", () => {
  let project = ""

  beforeAll(async () => {
    project = await mkdtemp(join(tmpdir(), "leat-consumer-"))
    await run(process.execPath, [tsc, "-b", "tsconfig.packages.json"], root)
    await mkdir(join(project, "tarballs"))
    for (const name of packages) {
      await run("pnpm", ["pack", "--pack-destination", join(project, "tarballs")], join(root, "packages", name))
      await cp(join(root, "packages", name, "test/consumer.ts"), join(project, `${name}.ts`))
    }
    await writeFile(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }))
    await writeFile(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }))
    const tarballs = globSync("tarballs/*.tgz", { cwd: project })
    const peers = [`effect@${await versionOf("effect")}`, "@types/node@24"]
    const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    await run("npm", ["install", ...flags, ...tarballs.map((tarball) => `./${tarball}`), ...peers], project)
  }, 300_000)

  afterAll(() => rm(project, { recursive: true, force: true }))

  it("compiles against the tarballs with strict settings", async () => {
    expect(await run(process.execPath, [tsc, "--pretty", "false"], project)).toBe("")
  })

  it.each(packages)("runs ten lines that use @leat/%s", async (name) => {
    expect(await run(process.execPath, [`out/${name}.js`], project)).toBe("ok\n")
  })
})
