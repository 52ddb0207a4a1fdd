/** A directory under /tmp that doesn't outlive this process. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { runs } from "./command.ts"
import { keeper } from "./keeper.ts"

export interface TemporaryDir {
  readonly path: string
  /** Removes it; doing it twice is fine. */
  readonly discard: () => void
}

/** `farewell`: a shell script that runs before it is removed, with its path as $1. */
export const temporaryDir = (prefix: string, farewell = ":"): TemporaryDir => {
  const path = mkdtempSync(join(tmpdir(), prefix))
  // The second time for what a dying server wrote during the first.
  const release = keeper(`${farewell}\nrm -rf "$1" || { sleep 1; rm -rf "$1"; }`, path)
  return {
    path,
    discard: () => {
      release()
      runs("/bin/sh", ["-c", farewell, "farewell", path])
      rmSync(path, { recursive: true, force: true, maxRetries: 5 })
    }
  }
}
