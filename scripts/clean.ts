/** Removes what builds and generated tests left in every workspace; what `npm start` installed stays. */
import { globSync, rmSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
const generated = ["{packages,apps,examples}/*/{dist,.doctest}", "bench/dist", "node_modules/.cache/{test,docs}"]

for (const path of globSync(generated, { cwd: root })) rmSync(join(root, path), { recursive: true, force: true })
