/**
 * The Lambda as minified files, `dist/*.mjs`: what is deployed, and what `npm start` runs. `index.mjs` and what it needs at
 * once, and the journals in files of their own, which are loaded where `DATABASE_URL` asks for one.
 */
import { globSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

import { build } from "esbuild"

const app = fileURLToPath(new URL("..", import.meta.url))

// Names of chunks change with their content: those of the last build would stay and be deployed.
for (const file of globSync("dist/*.mjs{,.map}", { cwd: app })) rmSync(join(app, file))

const { metafile } = await build({
  absWorkingDir: app,
  entryPoints: { index: "src/main.ts" },
  outdir: "dist",
  outExtension: { ".js": ".mjs" },
  chunkNames: "[name]-[hash]",
  bundle: true,
  splitting: true,
  minify: true,
  sourcemap: "linked",
  platform: "node",
  target: "node22",
  format: "esm",
  metafile: true,
  // What Node's own build of undici defines: it leaves out the experimental second HTTP parser, 170 KB.
  define: { esbuildDetection: '"1"' },
  // CommonJS dependencies (ioredis, undici) call `require` for Node's own modules, which an ES module does not have.
  banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' }
})

const kilobytes = (files: Iterable<string>) =>
  (
    Array.from(files, (file) => metafile.outputs[file]?.bytes ?? 0).reduce((sum, bytes) => sum + bytes, 0) / 1024
  ).toFixed(0)

/** What is loaded with a file: those that it imports at once, and what they do. */
const loaded = (file: string, found = new Set([file])): ReadonlySet<string> => {
  for (const { kind, path } of metafile.outputs[file]?.imports ?? []) {
    if (kind === "import-statement" && path in metafile.outputs && !found.has(path)) loaded(path, found.add(path))
  }
  return found
}

console.log(`dist/index.mjs with what it needs: ${kilobytes(loaded("dist/index.mjs"))} KB`)
for (const file of Object.keys(metafile.outputs)) {
  if (file.endsWith(".mjs") && !loaded("dist/index.mjs").has(file)) console.log(`${file}: ${kilobytes([file])} KB`)
}
