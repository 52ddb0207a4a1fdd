/** The Lambda as one minified file, `dist/index.mjs`: what is deployed, and what `npm start` runs. */
import { fileURLToPath } from "node:url"

import { build } from "esbuild"

const app = fileURLToPath(new URL("..", import.meta.url))

const { metafile } = await build({
  absWorkingDir: app,
  entryPoints: { index: "src/main.ts" },
  outdir: "dist",
  outExtension: { ".js": ".mjs" },
  bundle: true,
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

for (const [file, { bytes }] of Object.entries(metafile.outputs)) {
  if (file.endsWith(".mjs")) console.log(`${file}: ${(bytes / 1024).toFixed(0)} KB`)
}
